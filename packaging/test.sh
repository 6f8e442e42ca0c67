#!/usr/bin/env bash
# Tries the packages of dist/ for this machine's processor for real: Debian's in a debootstrap, systemd, OpenRC and runit as
# service managers there, the container's folder by chroot, the tarball's install.sh in a home. Needs root, debootstrap, and
# Debian's archive once (about 900 MB in the cache, 5 minutes); with names only these: packaging/test.sh deb openrc.
# OpenWrt's init script is tried by `make test`, against a stand-in of procd.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
DIST=$(realpath -m "${DIST:-dist}")
CACHE=$(realpath -m "${DIST_CACHE:-target/packaging}")

fail() {
    echo "dist-test: $1" >&2
    exit 1
}
case $(uname -m) in
x86_64) deb=amd64 cpu=x86_64 platform=linux/amd64 ;;
aarch64) deb=arm64 cpu=aarch64 platform=linux/arm64 ;;
*) fail "only tried on x86_64 and aarch64" ;;
esac
[ "$(id -u)" = 0 ] || fail "needs root, for chroot"
command -v debootstrap >/dev/null || fail "debootstrap is needed (apt-get install debootstrap)"
native=$DIST/openclaw-$VERSION-$cpu-unknown-linux-musl
[ -f "$native.tar.gz" ] || fail "$native.tar.gz is missing; run: make dist"

# system KIND NAME: a fresh Debian, from the cache, below $WORK. KIND is base, rc (with OpenRC and runit) or sd (with systemd).
system() {
    if [ ! -d "$CACHE/base" ]; then
        mkdir -p "$CACHE"
        debootstrap --variant=minbase --include=procps bookworm "$CACHE/base.new" >"$CACHE/debootstrap.log" ||
            fail "debootstrap failed, see $CACHE/debootstrap.log"
        mv "$CACHE/base.new" "$CACHE/base"
    fi
    case $1 in
    rc) with rc openrc runit initscripts ;;
    sd) with sd systemd dbus ;;
    esac
    cp -a "$CACHE/$1" "$WORK/$2"
    mkdir -p "$WORK/$2/dist"
    cp packaging/trials/common.sh "$WORK/$2/dist"
}

# with KIND PACKAGE...: the base with more packages.
with() {
    [ ! -d "$CACHE/$1" ] || return 0
    rm -rf "$CACHE/$1.new"
    cp -a "$CACHE/base" "$CACHE/$1.new"
    cp /etc/resolv.conf "$CACHE/$1.new/etc"
    chroot "$CACHE/$1.new" sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"' - "${@:2}" >"$CACHE/$1.log" 2>&1 ||
        fail "${*:2} cannot be had, see $CACHE/$1.log"
    mv "$CACHE/$1.new" "$CACHE/$1"
}

# inside ROOT SCRIPT: runs a script of packaging/trials as root of that system, in namespaces of its own: whatever it
# starts ends with it.
inside() {
    cp "$2" "$1/dist"
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount --pid --fork --net --uts --kill-child sh -euc '
        mount --make-rprivate /
        mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/run"
        mount -t tmpfs tmpfs "$1/tmp"
        ip link set lo up 2>/dev/null || ifconfig lo up
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot "$1" /bin/sh -eu "/dist/$2"' \
        - "$1" "$(basename "$2")"
}

deb() {
    system base deb
    cp "$DIST/openclaw_$VERSION-1_$deb.deb" "$WORK/deb/dist/first.deb"
    # The next release, made of the same binary.
    mkdir "$WORK/next"
    cp "$native" "$WORK/next"
    DIST=$WORK/next RELEASE=2 packaging/dist.sh >/dev/null
    cp "$WORK/next/openclaw_$VERSION-2_$deb.deb" "$WORK/deb/dist/second.deb"
    inside "$WORK/deb" packaging/trials/deb.sh
}

# The package's service under systemd itself, which is the first process of namespaces and a control group of its own.
systemd() {
    system sd systemd
    local root=$WORK/systemd groups=$WORK/groups pid
    cp "$DIST/openclaw_$VERSION-1_$deb.deb" "$root/dist/first.deb"
    cp packaging/trials/systemd.sh "$root/dist"
    # No consoles: they are this machine's.
    ln -sf /dev/null "$root/etc/systemd/system/getty.target"
    ln -sf /dev/null "$root/etc/systemd/system/console-getty.service"
    mkdir "$groups"
    mount -t cgroup2 cgroup2 "$groups" || fail "systemd needs control groups of the second version"
    mkdir "$groups/openclaw-dist-test"
    # shellcheck disable=SC2016 # expanded inside
    sh -c 'echo $$ >"$2/openclaw-dist-test/cgroup.procs"
        exec unshare --mount --pid --fork --net --uts --ipc --cgroup --kill-child sh -euc "$3" - "$1"' - "$root" "$groups" '
        mount --make-rprivate /
        mount --bind "$1" "$1"
        mount -t proc proc "$1/proc"
        mount -t sysfs sysfs "$1/sys"
        mount -t tmpfs tmpfs "$1/run"
        mount -t tmpfs tmpfs "$1/tmp"
        mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
        ip link set lo up
        cd "$1"
        mkdir -p old
        pivot_root . old
        umount -l /old
        exec env -i container=openclaw PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=no \
            --unit=multi-user.target' >"$WORK/systemd.log" 2>&1 &
    local first=$! held=0
    sleep 1
    pid=$(pgrep -P "$first") || fail "systemd does not start: $(cat "$WORK/systemd.log")"
    nsenter --target "$pid" --mount --pid --net --uts --ipc --cgroup env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        sh -eu /dist/systemd.sh || held=1
    kill -9 "$pid"
    wait "$first" || true
    find "$groups/openclaw-dist-test" -depth -type d -exec rmdir {} + || true
    umount "$groups"
    return $held
}

openrc() {
    system rc openrc
    cp "$DIST/openclaw-$VERSION-alpine-$cpu.tar.gz" "$WORK/openrc/dist/alpine.tar.gz"
    inside "$WORK/openrc" packaging/trials/openrc.sh
}

runit() {
    system rc runit
    cp "$native.tar.gz" "$WORK/runit/dist/plain.tar.gz"
    inside "$WORK/runit" packaging/trials/runit.sh
}

plain() {
    system base plain
    cp "$native.tar.gz" "$WORK/plain/dist/plain.tar.gz"
    inside "$WORK/plain" packaging/trials/plain.sh
}

# What the container's recipe says, by hand: an engine is not needed to see whether the files are enough.
container() {
    tar -xzf "$DIST/openclaw-$VERSION-container.tar.gz" -C "$WORK"
    local root=$WORK/image from to
    mkdir -p "$root/dev"
    sed -n 's/^COPY \(--chown=[0-9:]* \)\?//p' "$WORK/container/Containerfile" | while read -r from to; do
        from=${from/\$\{TARGETPLATFORM\}/$platform}
        if [ -d "$WORK/container/$from" ]; then mkdir -p "$root$to" && cp -a "$WORK/container/$from/." "$root$to"; fi
        [ -d "$WORK/container/$from" ] || cp -a "$WORK/container/$from" "$root$to"
    done
    chown 65532:65532 "$root/state" "$root/tmp"
    local into=(unshare --mount --pid --fork --net --kill-child env -i PATH="$PATH" HOME=/state OPENCLAW_STATE_DIR=/state)
    "${into[@]}" chroot --userspec=65532:65532 "$root" /openclaw setup >/dev/null
    "${into[@]}" chroot --userspec=65532:65532 "$root" /openclaw config set gateway.bind lan >/dev/null
    [ "$(stat -c '%a %u' "$root/state/openclaw.json")" = "600 65532" ] || fail "the container's secrets are not its own"
    # shellcheck disable=SC2016 # expanded inside
    "${into[@]}" sh -euc '
        ip link set lo up 2>/dev/null || ifconfig lo up
        chroot --userspec=65532:65532 "$1" /openclaw gateway >/dev/null &
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            sleep 0.5
            chroot --userspec=65532:65532 "$1" /openclaw gateway healthcheck && exit 0
        done
        exit 1' - "$root" || fail "the container's gateway does not answer"
}

WORK=$(mktemp -d "${TMPDIR:-/tmp}/openclaw-dist-test.XXXXXX")
trap 'rm -rf --one-file-system "$WORK"' EXIT
for trial in "${@:-deb systemd openrc runit plain container}"; do
    for name in $trial; do
        declare -F "$name" >/dev/null || fail "no trial $name"
        "$name" || fail "$name failed"
        echo "$name: held"
    done
done
