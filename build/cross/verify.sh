#!/usr/bin/env bash
# verify.sh TARGET BINARY [OBJECTS]: whether a binary is what its name says: static, for this processor and this way of
# passing fractions, stripped, without paths of the machine that built it. OBJECTS are the libraries it was made of.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/targets.sh"
target=$1 binary=$2 objects=${3:-}

wrong() { fail "$binary is not for $target: $*"; }

# must TEXT WHAT: a line of what readelf says of the file.
head=$(readelf -hlSW "$binary" 2>/dev/null) || wrong "it is no ELF file"
special=$(readelf -AW "$binary" 2>/dev/null)
must() { grep -qE "$1" <<<"$head$special" || wrong "$2"; }
must_not() { ! grep -qE "$1" <<<"$head$special" || wrong "$2"; }

must_not '^ *INTERP' "it asks for a loader"
must_not '^ *DYNAMIC' "it asks for shared libraries"
must_not ' \.symtab ' "its symbols were not stripped"
case $target in
x86_64*) must 'Machine: .*X86-64' "wrong processor" ;;
aarch64*) must 'Machine: .*AArch64' "wrong processor" ;;
riscv64gc*) must 'Flags: .*RVC, double-float' "not for hard floats with compressed instructions" ;;
arm*)
    must 'Machine: .*ARM' "wrong processor"
    must 'Tag_ABI_VFP_args: VFP registers' "fractions do not travel in VFP registers"
    level=v6
    [[ $target = armv7* ]] && level=v7
    must "Tag_CPU_arch: $level" "its code is not marked $level"
    ;;
mips*)
    order='little endian'
    [[ $target = mips-* ]] && order='big endian'
    must "Data: .*$order" "not $order"
    must 'Flags: .*mips32r2' "not MIPS32 release 2"
    must 'FP ABI: Soft float' "not soft float"
    ;;
esac

# A linker names the level of one of the parts: all are asked. Of `ring`, some parts are for ARMv7 and chosen at run time.
if [[ $target = arm-* && -n $objects ]]; then
    for library in "$objects"/*.rlib; do
        [[ $library = */libring-* ]] && continue
        newer=$(readelf -A "$library" 2>/dev/null | grep -E 'Tag_CPU_arch: v([789]|6T2)' | sort -u || true)
        [ -z "$newer" ] || wrong "$(basename "$library") holds $newer"
    done
fi

# Nobody learns where it was built; and another place builds the same.
for place in "$HOME/" "$root/" "$cache/"; do
    ! grep -qaF "$place" "$binary" || wrong "it names $place"
done
echo "   static, $(stat -c %s "$binary") bytes, $(sed -n 's/^ *Class: *//p' <<<"$head"), $(grep -oE 'Tag_CPU_arch: .*|FP ABI: .*' <<<"$special" | sort -u | tr '\n' ' ')"
