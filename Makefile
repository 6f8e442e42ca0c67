# OpenClaw Gateway. `make demo` tries it, `make test` tests it, `make check` is what CI runs.

CARGO  ?= cargo
# Where cargo puts the program is its own affair (CARGO_TARGET_DIR, build.target-dir, build.target), so it is asked.
EXECUTABLE = sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
RELEASE = $$($(CARGO) build --release --message-format=json-render-diagnostics 2>/dev/null | $(EXECUTABLE))
PREFIX ?= /usr/local
# Only some shells know a home directory behind `PREFIX=`.
override PREFIX := $(patsubst ~/%,$(HOME)/%,$(PREFIX))
override DESTDIR := $(patsubst ~/%,$(HOME)/%,$(DESTDIR))
ARCH   := $(shell uname -m)
MUSL   := $(ARCH)-unknown-linux-musl
GNU    := $(ARCH)-unknown-linux-gnu
# musl where its target is installed, else a static glibc build
STATIC := $(shell rustc --print sysroot 2>/dev/null)/lib/rustlib/$(MUSL)
TRIPLE := $(if $(wildcard $(STATIC)),$(MUSL),$(GNU))
# Frame pointers make the unwind tables smaller than they make the code larger. Packed relocations save as much
# again, but a static program starts with them only on glibc 2.36 or later.
PACKED := $(if $(filter $(GNU),$(TRIPLE)),$(shell getconf GNU_LIBC_VERSION 2>/dev/null | \
	awk '{ split($$2, v, "."); if (v[1] > 2 || v[2] >= 36) print "-C link-arg=-Wl,-z,pack-relative-relocs" }'))
# Libraries' source paths, which panics name, begin at the library's name.
SOURCES := $(foreach d,$(wildcard $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src/*),--remap-path-prefix=$(d)/=)
# What is equal is kept once, functions and data, where the linker can do that, such as the lld that comes with rustc.
FOLD   := -C link-arg=-Wl,--icf=all -C link-arg=-Wl,--ignore-data-address-equality
FOLDED = $(shell probe=$$(mktemp) && echo 'fn main() {}' | rustc --target $(TRIPLE) $(FOLD) -o $$probe - 2>/dev/null && \
	echo "$(FOLD)"; rm -f "$$probe")
# What never panics needs nothing to clean up with.
CALM    = $(shell .ci/calm $(TRIPLE) 2>/dev/null)
# Of glibc is left out what is never reached: how to unwind its frames, since no panic passes through them; fractions in
# its own printf and scanf, which print and read whole numbers here; translations, since the locale is always C; most
# of the versions of its string functions (`.ci/lean-libc`).
LIBC   := $(or $(CARGO_TARGET_DIR),target)/libc
UNUSED := __printf_fp __printf_fphex __strtod_internal __strtof_internal __strtof128_internal __strtold_internal \
	_nl_find_domain _nl_load_domain
LEAN    = $(if $(and $(filter $(GNU),$(TRIPLE)),$(FOLDED)),$(UNUSED:%=-C link-arg=-Wl,--defsym=%=abort) $(shell \
	mkdir -p "$(LIBC)" && .ci/lean-libc "$$(cc -print-file-name=libc.a)" "$(LIBC)/libc.a" 2>/dev/null && \
	echo "-L native=$(LIBC) -C link-arg=@$(LIBC)/libc.a.flags"))
# A static program can have glibc end a thread's cache of freed memory before the thread ends (`sys::release_cache`).
CACHE  := $(if $(filter $(GNU),$(TRIPLE)),$(shell grep -qs __malloc_arena_thread_freeres "$$(cc -print-file-name=libc.a)" && \
	echo "--cfg glibc_thread_cache"))
STATIC_FLAGS = RUSTFLAGS="-C target-feature=+crt-static -C force-frame-pointers=yes $(PACKED) $(FOLDED) $(CALM) $(LEAN) $(CACHE) $(SOURCES)"

.NOTPARALLEL:
.PHONY: build release static test fmt-check lint check budgets bench demo watch install whatsapp cross cross-check cross-test dist dist-test interop soak small test-llm test-sdk protocol-gen test-types test-ui test-ui-original test-browser test-whatsapp torture fuzz clean

build:
	$(CARGO) build

release:
	$(CARGO) build --release
	@[ -x "$(RELEASE)" ] || { echo "cargo names no program: see '$(CARGO) build --release'" >&2; exit 1; }

# One file without shared libraries; the last line says where it is.
static:
	$(STATIC_FLAGS) $(CARGO) build --release --target $(TRIPLE)
	@binary=$$($(STATIC_FLAGS) $(CARGO) build --release --target $(TRIPLE) --message-format=json-render-diagnostics \
	2>/dev/null | $(EXECUTABLE)) && "$$binary" --version && ls -l "$$binary"

# Static musl binaries for seven processors, or for TARGET=armv6, into dist/ (docs/targets.md); QUICK=1, TWICE=1.
cross:
	@build/cross/build.sh $(TARGET)

# Only the types, for the poorest of them (32 bits, nothing to count to 64 with) or for TARGET: minutes instead of an hour.
cross-check:
	@build/cross/build.sh --check $(or $(TARGET),mipsel)

# What `make cross` built lives a gateway's life under emulators; UNITS=1 runs unit tests there too.
cross-test:
	@build/cross/test.sh $(TARGET)

test:
	$(CARGO) test

fmt-check:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --all-targets -- -D warnings

# The budgets of the static release binary in about a minute, and of what `make cross` built for this machine, if it did;
# `make bench` measures them in full.
CROSSED = $(wildcard $(CURDIR)/dist/openclaw-*-$(MUSL))
budgets:
	$(STATIC_FLAGS) $(CARGO) bench --target $(TRIPLE) --bench bench -- --quick
	@for binary in $(CROSSED); do echo "The same of $$binary:"; OPENCLAW_BENCH_BINARY="$$binary" \
	$(STATIC_FLAGS) $(CARGO) bench --target $(TRIPLE) --bench bench -- --quick || echo "(limits are of the build above)"; done

bench:
	$(STATIC_FLAGS) $(CARGO) bench --target $(TRIPLE) --bench bench

# Ends with the test runner's own closing line.
check: fmt-check lint budgets test

demo: release
	@tests/demo.sh "$(RELEASE)"

# The dev profile's gateway, built and started anew whenever a source file is saved; ARGS are the gateway's.
watch:
	@CARGO="$(CARGO)" build/watch.sh $(ARGS)

# WhatsApp's program (docs/whatsapp.md); its crates are built for nothing else. Some 25 minutes of processor time.
COMPANION = $$($(CARGO) build --release --features whatsapp --bin openclaw-whatsapp \
	--message-format=json-render-diagnostics 2>/dev/null | $(EXECUTABLE))
whatsapp:
	$(CARGO) build --release --features whatsapp --bin openclaw-whatsapp
	@program="$(COMPANION)" && "$$program" --version && ls -l "$$program"

# The program and the gateway before a stand-in for WhatsApp's servers.
test-whatsapp:
	$(CARGO) test --features whatsapp-mock --bin openclaw-whatsapp
	$(CARGO) test --features whatsapp-mock --test whatsapp

# WHATSAPP=1 installs WhatsApp's program too.
install: release $(if $(WHATSAPP),whatsapp)
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 "$(RELEASE)" "$(DESTDIR)$(PREFIX)/bin/openclaw"
	$(if $(WHATSAPP),install -m 755 "$(COMPANION)" "$(DESTDIR)$(PREFIX)/bin/openclaw-whatsapp")
	install -d "$(DESTDIR)$(PREFIX)/share/man/man1"
	"$(RELEASE)" __man > "$(DESTDIR)$(PREFIX)/share/man/man1/openclaw.1"

# Packages of every binary that `make cross` has put into dist/; what is missing is named. DIST_URL is where they will be.
dist:
	@packaging/dist.sh

# Those for this machine, tried under systemd, OpenRC and runit in a debootstrap, container and tarball by chroot. As root.
dist-test:
	@packaging/test.sh

# The original program's command line against this gateway, and the reverse.
interop: release
	@tests/interop.sh "$(RELEASE)"

# A conversation with a small real model on this machine (downloads about 220 MB once).
test-llm: release
	@tests/llm.sh "$(RELEASE)"

# Both official OpenAI SDKs, from their registries, against this gateway (about 60 MB once).
test-sdk: release
	@tests/sdk/run.sh "$(RELEASE)"

# TypeScript and Swift types of the wire protocol, out of schemas/ into `generated/` or TYPES.
TYPES ?= generated
protocol-gen:
	$(CARGO) run --quiet --example protocol-gen -- "$(TYPES)"

# The types by `tsc --strict` (and a Swift compiler where there is one), then docs/client.ts against the gateway.
test-types:
	OPENCLAW_TYPES=all $(CARGO) test --test gateway protocol_types:: -- --nocapture

# The control page in a real Chromium; pictures of it stay in the target directory, below tmp/ui.
test-ui:
	OPENCLAW_UI=all $(CARGO) test --test gateway ui:: -- --nocapture --test-threads=2

# The original's control pages, served by this gateway (gateway.controlUi.root): every tab is opened. Fetches them by npm.
test-ui-original:
	@set -e; pages=$$(mktemp -d); trap 'rm -rf "$$pages"' EXIT; \
	for release in 2026.2.9 2026.9.6; do \
	    mkdir "$$pages/$$release"; \
	    (cd "$$pages/$$release" && npm pack --silent "openclaw@$$release" && tar xzf *.tgz package/dist/control-ui && \
	        mv package/dist/control-ui ui && rm -rf *.tgz package); \
	done; \
	OPENCLAW_UI_ORIGINAL="$$pages" $(CARGO) test --test gateway ui::original -- --nocapture

# The control of a real browser over a site of its own; one at a time, for each has a browser.
test-browser:
	OPENCLAW_BROWSER=all $(CARGO) test --test gateway browsing:: -- --nocapture --test-threads=1

# 1000 starts, stops, kills, restarts and edits in random order; some minutes.
torture:
	OPENCLAW_TORTURE=1000 $(CARGO) test --test gateway torture:: -- --nocapture
	OPENCLAW_TORTURE=1000 $(CARGO) test --test gateway telegram_kill:: -- --nocapture
	OPENCLAW_TORTURE=1000 $(CARGO) test --test gateway channel_programs::r_08 -- --nocapture
	OPENCLAW_TORTURE=1000 $(CARGO) test --bin openclaw deliveries::crash_tests
	OPENCLAW_TORTURE=1000 $(CARGO) test --bin openclaw telegram::property_tests
	OPENCLAW_TORTURE=1000 $(CARGO) test --bin openclaw gateway::carrier

# What `make static` builds, for tests of the release.
STATIC_BINARY = $$($(STATIC_FLAGS) $(CARGO) build --release --target $(TRIPLE) --message-format=json-render-diagnostics \
	2>/dev/null | $(EXECUTABLE))

# A million requests, 10,000 connects, turns and messages in half an hour; SOAK is the number of seconds, and scales all.
# TESTED=dist/openclaw-... takes a file that is there, here and for `make small`.
SOAK ?= 1800
THE_TESTED = "$(if $(TESTED),$(abspath $(TESTED)),$(STATIC_BINARY))"
soak: $(if $(TESTED),,static)
	OPENCLAW_SOAK=$(SOAK) OPENCLAW_TESTED=$(THE_TESTED) $(CARGO) test --test gateway soak:: -- --nocapture

# The release in 32 MB of memory with a fifth of a core, in 64 MB of addresses, and what it writes to flash; 15 minutes.
small: $(if $(TESTED),,static)
	OPENCLAW_SMALL=1 OPENCLAW_TESTED=$(THE_TESTED) $(CARGO) test --test gateway small:: -- --nocapture --test-threads=1

# Random bytes against the frame and head parsers for a bounded time (FUZZ_SECONDS, default 30).
fuzz:
	FUZZ_SECONDS=$${FUZZ_SECONDS:-30} $(CARGO) test fuzz

clean:
	$(CARGO) clean
