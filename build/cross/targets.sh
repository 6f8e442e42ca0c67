# shellcheck shell=bash disable=SC2034
# The targets, and what the scripts beside this file share. Read by `.`; starts nothing.

# Rust's name, the short ones it may be asked for by, and where it is tried: the emulator and the processor it is for.
TARGETS="
x86_64-unknown-linux-musl      x86_64,amd64    qemu-x86_64-static  qemu64
aarch64-unknown-linux-musl     aarch64,arm64   qemu-aarch64-static cortex-a53
armv7-unknown-linux-musleabihf armv7,arm7      qemu-arm-static     cortex-a7
arm-unknown-linux-musleabihf   armv6,arm6,arm  qemu-arm-static     arm1176
riscv64gc-unknown-linux-musl   riscv64         qemu-riscv64-static rv64
mipsel-unknown-linux-musl      mipsel          qemu-mipsel-static  24Kc
mips-unknown-linux-musl        mips            qemu-mips-static    24Kc
"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# The toolchain, what it builds and what it remembers: about 4 GB.
cache=${OPENCLAW_CROSS:-$root/target/cross}
dist=${DIST:-$root/dist}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)

fail() {
    echo "make cross: $*" >&2
    exit 1
}

# Rust's names of the targets that were asked for; of all without a word.
chosen() {
    local asked=${1:-} target names found=
    while read -r target names _; do
        [ -n "$target" ] || continue
        if [ -z "$asked" ] || [ "$asked" = "$target" ] || [[ ",$names," = *",$asked,"* ]]; then
            echo "$target"
            found=1
        fi
    done <<<"$TARGETS"
    [ -n "$found" ] || fail "TARGET=$asked is none of these: $(names)"
}

names() {
    awk 'NF { split($2, name, ","); printf "%s%s (%s)", sep, name[1], $1; sep = ", " }' <<<"$TARGETS"
}

# A column of a target's row: 3 is the emulator, 4 its processor.
column() {
    awk -v target="$1" -v n="$2" '$1 == target { print $n }' <<<"$TARGETS"
}

binary_of() {
    echo "$dist/openclaw-$version-$1"
}
