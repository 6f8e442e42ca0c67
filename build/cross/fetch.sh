#!/usr/bin/env bash
# fetch.sh: gets the toolchain into the cache where the machine has none, and makes `$cache/env`, by which it is used.
#
# Wanted: Rust with the source of its standard library (rustup's component rust-src, or Debian's rustc-web and
# rust-web-src), zig 0.15 as C compiler, linker and musl of every target, cargo-zigbuild. What is missing of these comes
# from Debian's packages, which are unpacked and not installed, and from Python's; no other toolchain is touched.
# `fetch.sh emulators` gets the emulators instead.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/targets.sh"
ZIG=0.15.2

have() { command -v "$1" >/dev/null 2>&1; }
need() { have "$1" || fail "$1 is missing: $2"; }

# The oldest Rust that builds this program.
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
# at_least VERSION
at_least() { [ "$(printf '%s\n' "$oldest" "$1" | sort -V | head -n 1)" = "$oldest" ]; }

# Downloads packages and those they need that are not installed, and unpacks them into `$cache/root`.
unpack() {
    need apt-get "this part takes Debian's packages $*; on another system install them by its own means (docs/targets.md)"
    local wanted
    wanted=$(apt-get -s install --no-install-recommends "$@" 2>/dev/null | awk '$1 == "Inst" { print $2 }')
    if [ -z "$wanted" ] && [ "$(id -u)" = 0 ]; then
        apt-get update -qq
        wanted=$(apt-get -s install --no-install-recommends "$@" 2>/dev/null | awk '$1 == "Inst" { print $2 }')
    fi
    [ -n "$wanted" ] || fail "apt-get knows no $*: run apt-get update as root, with Debian's security updates among the sources"
    mkdir -p "$cache/debs" "$cache/root"
    # shellcheck disable=SC2086
    (cd "$cache/debs" && apt-get -o APT::Sandbox::User="$(id -un)" download -qq $wanted) || fail "apt-get download $wanted failed"
    for package in "$cache"/debs/*.deb; do dpkg -x "$package" "$cache/root"; done
    rm -rf "$cache/debs"
}

# The compiler is there, new enough, and with the source of its library.
serves() {
    at_least "$("$1" -V 2>/dev/null | cut -d ' ' -f 2)" || return 1
    [ -f "$("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/Cargo.lock" ]
}

# What apt-get would take; its lists may be of a time when there was only an older one.
offered() { apt-cache policy rustc-web 2>/dev/null | awk '$1 == "Candidate:" { print $2 }'; }

# Rust: the machine's own with its library's source, else Debian's.
rust() {
    if have rustc && serves rustc; then
        return 0
    fi
    [ -x "$cache/bin/rustc" ] && serves "$cache/bin/rustc" && return 0
    rm -rf "$cache/bin" "$cache/root/usr/lib/rustlib"
    echo "fetching Rust with the source of its library (Debian's rustc-web, cargo-web, rust-web-src; 150 MB)"
    if ! at_least "$(offered)" && [ "$(id -u)" = 0 ]; then apt-get update -qq; fi
    at_least "$(offered)" || fail "apt-get offers rustc-web $(offered), $oldest is needed: run apt-get update as root, with Debian's security updates among the sources"
    unpack rustc-web cargo-web rust-web-src
    mkdir -p "$cache/bin"
    # Only these see the libraries that were unpacked with them.
    for tool in rustc cargo rustdoc; do
        # shellcheck disable=SC2016
        printf '#!/bin/sh\nLD_LIBRARY_PATH=$(echo "%s"/usr/lib/*-linux-gnu) exec "%s/usr/bin/%s" "$@"\n' \
            "$cache/root" "$cache/root" "$tool" >"$cache/bin/$tool"
        chmod +x "$cache/bin/$tool"
    done
    serves "$cache/bin/rustc" || fail "rustc-web and rust-web-src are of two versions: run apt-get update, or install rust-src by rustup"
}

# zig and cargo-zigbuild: the machine's own, else a Python environment's.
zig() {
    if have cargo-zigbuild && have zig && [[ $(command zig version) = 0.15.* ]]; then
        return 0
    fi
    [ -x "$cache/venv/bin/cargo-zigbuild" ] && return 0
    need python3 "install python3 and python3-venv"
    echo "fetching zig $ZIG and cargo-zigbuild (Python packages; 105 MB)"
    python3 -m venv "$cache/venv" || fail "Python cannot make an environment: install python3-venv"
    "$cache/venv/bin/pip" install -q "ziglang==$ZIG" cargo-zigbuild || fail "pip cannot install ziglang==$ZIG and cargo-zigbuild"
}

emulators() {
    have qemu-arm-static || [ -x "$cache/root/usr/bin/qemu-arm-static" ] && return 0
    echo "fetching the emulators (Debian's qemu-user-static; 63 MB)"
    unpack qemu-user-static
}

mkdir -p "$cache"
if [ "${1:-}" = emulators ]; then
    emulators
    exit 0
fi
need cc "install gcc and libc6-dev, for what runs while building"
need readelf "install binutils"
rust
zig
# In this order: what was fetched, the machine's own. The standard library is built too, which a stable compiler only does so.
cat >"$cache/env" <<E2
export PATH="$cache/bin:$cache/venv/bin:\$PATH"
export RUSTC_BOOTSTRAP=1
export XDG_CACHE_HOME="$cache/zig"
E2
