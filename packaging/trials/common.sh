# shellcheck shell=sh
# What the trials share; read by `.` inside of a chroot.

# holds WHAT COMMAND...: the sentence that the trial claims.
holds() {
    what=$1
    shift
    "$@" >/tmp/said 2>&1 || {
        echo "does not hold: $what" >&2
        cat /tmp/said >&2
        exit 1
    }
    echo "  $what"
}

# soon COMMAND...: waits for it, 30 s at most.
soon() {
    tries=0
    until "$@" >/tmp/said 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || break
        sleep 0.2
    done 2>/dev/null
}

not() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
has() { case "$1" in *"$2"*) ;; *) echo "no '$2' in: $1"; return 1 ;; esac; }
# The command line as the service's user; PATH as sudo would have it.
as() {
    user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --clear-groups env -i HOME="$(getent passwd "$user" | cut -d: -f6)" \
        PATH=/usr/local/bin:/usr/bin:/bin "$@"
}
pid_of() { pgrep -f '^/usr/bin/openclaw gateway$|^/usr/local/bin/openclaw gateway$' | head -n 1; }
