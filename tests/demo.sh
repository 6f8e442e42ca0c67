#!/usr/bin/env bash
# `make demo`: a gateway in a temporary home with the built-in model, one question, its answer streamed.
set -euo pipefail
binary=$(realpath "${1:?usage: tests/demo.sh BINARY}")
home=$(mktemp -d)
log=$home/output
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; [ -z "$pid" ] || wait "$pid" 2>/dev/null || true; rm -rf "$home"' EXIT

# Nothing of another installation's settings, whatever it is called there.
unset "${!OPENCLAW_@}" "${!CLAWDBOT_@}"
# A random port above the usual one, so that a gateway that runs already is left alone.
port=$((20000 + RANDOM % 10000))
export HOME=$home OPENCLAW_GATEWAY_PORT=$port
OPENCLAW_GATEWAY_TOKEN=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export OPENCLAW_GATEWAY_TOKEN

echo "\$ openclaw gateway --port $port --allow-unconfigured"
"$binary" gateway --port "$port" --allow-unconfigured >"$log" 2>&1 &
pid=$!
for _ in $(seq 100); do
    if "$binary" gateway call health >/dev/null 2>&1; then break; fi
    kill -0 "$pid" 2>/dev/null || { cat "$log" >&2; exit 1; }
    sleep 0.05
done

echo "\$ openclaw agent --message \"Is anybody there?\""
"$binary" agent --message "Is anybody there?" --stream
echo "\$ kill $pid"
kill "$pid"
wait "$pid"
pid=
echo "The gateway stopped cleanly."
