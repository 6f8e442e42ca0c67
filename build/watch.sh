#!/usr/bin/env bash
# `make watch`: builds, runs the dev profile's gateway, and does so again whenever a source file is saved. While the sources
# do not build, the gateway of before goes on. Arguments are the gateway's. Ctrl-C ends both.
set -uo pipefail
CARGO=${CARGO:-cargo}
stamp=$(mktemp)
pid=
built=

say() { printf '%s\n' "-- $*" >&2; }

stop() {
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    pid=
}

leave() {
    stop
    rm -f "$stamp"
    exit 0
}
trap leave INT TERM HUP

# Whatever the program is made of; a folder changes when a file in it comes or goes.
changed() {
    local places
    places=$(ls -d Cargo.toml Cargo.lock build.rs src build schemas ui a2ui 2>/dev/null)
    # shellcheck disable=SC2086
    [ -n "$(find $places -newer "$stamp" -print -quit 2>/dev/null)" ]
}

# The program, by cargo's own word; nothing when it does not build.
build() {
    "$CARGO" build --message-format=json-render-diagnostics |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

while :; do
    touch "$stamp"
    if binary=$(build) && [ -x "$binary" ]; then
        # Cargo had nothing to do: the gateway stays as it is.
        now=$(stat -c '%i %Y' "$binary" 2>/dev/null || stat -f '%i %m' "$binary")
        if [ "$now" != "$built" ] || [ -z "$pid" ]; then
            stop
            built=$now
            say "running $binary --dev gateway $*"
            "$binary" --dev gateway "$@" &
            pid=$!
        fi
    elif [ -n "$pid" ]; then
        say "it does not build: the gateway of before goes on"
    else
        say "it does not build: waiting for a change"
    fi
    until changed; do
        if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then
            wait "$pid"
            say "the gateway ended with status $?: waiting for a change"
            pid=
        fi
        # In the background, so that a signal is heard at once.
        sleep 0.5 &
        wait $!
    done
done
