#!/bin/sh
# Installs the program, its manual page and its completions below one prefix, and nothing else: every file is named.
# What it needs besides is said at the end. See --help.
set -eu
usage() {
    cat <<'TEXT'
Usage: ./install.sh [--prefix DIR] [--dry-run] [--uninstall]

  --prefix DIR  install below DIR; unsaid: /usr/local for root, else ~/.local
  --dry-run     name the files, change nothing
  --uninstall   remove these files; configuration and state stay
TEXT
}
fail() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}

if [ "$(id -u)" = 0 ]; then prefix=/usr/local; else prefix=${HOME:?}/.local; fi
dry=
action=install
while [ $# -gt 0 ]; do
    case "$1" in
    --prefix)
        [ -n "${2:-}" ] || fail "--prefix needs a directory" 2
        prefix=$2
        shift
        ;;
    --prefix=?*) prefix=${1#--prefix=} ;;
    --dry-run) dry=yes ;;
    --uninstall) action=uninstall ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail "unknown option: $1" 2 ;;
    esac
    shift
done
case "$prefix" in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
cd "$(dirname "$0")"

# Source, mode and place of each file.
files() {
    cat <<TEXT
openclaw 755 bin/openclaw
openclaw.1 644 share/man/man1/openclaw.1
openclaw.bash 644 share/bash-completion/completions/openclaw
_openclaw 644 share/zsh/site-functions/_openclaw
openclaw.fish 644 share/fish/vendor_completions.d/openclaw.fish
TEXT
}

put() {
    to=$prefix/$3
    echo "install $to"
    [ -z "$dry" ] || return 0
    mkdir -p "${to%/*}" || fail "cannot write below $prefix; choose another place: ./install.sh --prefix DIR"
    # Beside it and renamed, so that a gateway that runs is not disturbed.
    if ! { cp "$1" "$to.new.$$" && chmod "$2" "$to.new.$$" && mv -f "$to.new.$$" "$to"; }; then
        rm -f "$to.new.$$"
        fail "cannot write $to; choose another place: ./install.sh --prefix DIR"
    fi
}

remove() {
    [ -e "$prefix/$3" ] || return 0
    echo "remove $prefix/$3"
    [ -n "$dry" ] || rm -f "$prefix/$3"
}

if [ "$action" = install ]; then
    ./openclaw --version >/dev/null 2>&1 ||
        fail "this openclaw is for another processor than this machine's ($(uname -m))"
fi
files | while read -r source mode place; do
    case "$action" in
    install) put "$source" "$mode" "$place" ;;
    uninstall) remove "$source" "$mode" "$place" ;;
    esac
done
[ "$action" = install ] && [ -z "$dry" ] || exit 0
case ":$PATH:" in
*":$prefix/bin:"*) program=openclaw ;;
*)
    program=$prefix/bin/openclaw
    echo "$prefix/bin is not in your PATH."
    ;;
esac
echo "Next: $program onboard            (configuration, token, model; asks)"
echo "      $program gateway install    (a service that starts by itself)"
