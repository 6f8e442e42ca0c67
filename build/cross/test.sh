#!/usr/bin/env bash
# test.sh [TARGET]: `make cross-test`. Each binary of dist/ lives one gateway's life (`try.py`) under an emulator of the
# processor it is for; what this machine runs itself without one. UNITS=1 also runs the unit tests of JSON, framing and keys
# as a program of the target (built by the dev profile, some minutes each).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/targets.sh"
here=$(dirname "${BASH_SOURCE[0]}")
targets=$(chosen "${1:-}")
command -v python3 >/dev/null || fail "python3 is missing: install python3"

failed=()
for target in $targets; do
    binary=$(binary_of "$target")
    [ -f "$binary" ] || binary=$binary.quick
    [ -f "$binary" ] || fail "$(binary_of "$target") is missing: make cross TARGET=$target"
    under=()
    if [[ $target != "$(uname -m)"-* ]]; then
        "$here/fetch.sh" emulators
        emulator=$(column "$target" 3)
        emulator=$(command -v "$emulator" || echo "$cache/root/usr/bin/$emulator")
        under=("$emulator" -cpu "$(column "$target" 4)")
    fi
    echo "== $target ${under[*]:+(${under[*]##*/})}"
    python3 "$here/try.py" "$binary" "${under[@]}" || failed+=("$target")
    if [ -n "${UNITS:-}" ]; then
        UNDER="${under[*]}" "$here/build.sh" --test "$target" || failed+=("$target units")
    fi
done
[ ${#failed[@]} -eq 0 ] || fail "failed: ${failed[*]}"
