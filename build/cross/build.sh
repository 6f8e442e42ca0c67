#!/usr/bin/env bash
# build.sh [TARGET]: `make cross`. Builds static musl binaries with their own standard library into dist/, named by version
# and target, checks each (`verify.sh`) and writes their SHA-256 sums.
#
# QUICK=1 builds the dev profile, in half the time, for trying; these get the suffix .quick. TWICE=1 builds each again from
# nothing and compares. `build.sh --check TARGET` only checks types, which is enough to see what a target lacks;
# `UNDER=EMULATOR build.sh --test TARGET` builds the unit tests and runs those of JSON, framing and keys.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/targets.sh"
here=$(dirname "${BASH_SOURCE[0]}")
act=zigbuild
case "${1:-}" in
--check | --test)
    act=${1#--}
    QUICK=1
    shift
    ;;
esac
targets=$(chosen "${1:-}")

"$here/fetch.sh"
# shellcheck disable=SC1091
. "$cache/env"
# The machine's own settings are not this build's.
unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS
sources=$(rustc --print sysroot)/lib/rustlib/src/rust/
crates=${CARGO_HOME:-$HOME/.cargo}/registry/src
# zig brings its own start files. Paths of this machine are in no binary.
flags="-C target-feature=+crt-static -C link-self-contained=no -C force-frame-pointers=yes --remap-path-prefix=$sources=/rustc/"
for folder in "$crates"/*/; do flags="$flags --remap-path-prefix=$folder="; done
# The library's features are fewer than usual: a stripped binary has no names to print behind a panic.

profile=release
suffix=
if [ -n "${QUICK:-}" ]; then
    profile=debug
    suffix=.quick
    flags="$flags -C debuginfo=0 -C strip=symbols"
fi

# compile TARGET FOLDER
compile() {
    local words=("$act" --locked --target "$1" -Z build-std=std,panic_unwind -Z build-std-features=panic-unwind,optimize_for_size)
    [ "$profile" = debug ] || words+=(--release)
    [ "$act" != test ] || words+=(--bin openclaw -- json:: device:: ids:: protocol:: calls:: counter:: clock:: percent:: tls::)
    (cd "$root" && RUSTFLAGS="$flags --remap-path-prefix=$2/=" CARGO_TARGET_DIR="$2" cargo-zigbuild "${words[@]}")
}

mkdir -p "$dist"
for target in $targets; do
    echo "== $target"
    upper=${target^^}
    [ -z "${UNDER:-}" ] || export "CARGO_TARGET_${upper//-/_}_RUNNER=$UNDER"
    compile "$target" "$cache/target"
    [ "$act" = zigbuild ] || continue
    binary=$(binary_of "$target")$suffix
    install -m 755 "$cache/target/$target/$profile/openclaw" "$binary"
    "$here/verify.sh" "$target" "$binary" "$cache/target/$target/$profile/deps"
    if [ -n "${TWICE:-}" ]; then
        rm -rf "$cache/target.again"
        compile "$target" "$cache/target.again"
        cmp "$binary" "$cache/target.again/$target/$profile/openclaw" || fail "$target: two builds differ"
        rm -rf "$cache/target.again"
        echo "   two builds, one file"
    fi
done
if [ "$act" = zigbuild ]; then
    # Packages that lie here already keep their sums.
    (cd "$dist" && rm -f SHA256SUMS && find . -maxdepth 1 -type f ! -name '*.quick' ! -name '.*' -printf '%P\n' | LC_ALL=C sort |
        xargs sha256sum >.sums && mv .sums SHA256SUMS)
    echo "== $dist"
    cat "$dist/SHA256SUMS"
fi
