#!/bin/sh
# The generated types and the sample client: `make test-types`. TypeScript from npm (about 25 MB, once) checks them by
# `tsc --strict`, then docs/client.ts talks to this gateway. A Swift compiler checks the Swift types where there is one.
# Ends with 3 where npm cannot have TypeScript.
# Usage: tests/types/run.sh path/to/openclaw FOLDER_OF_TYPES
set -eu
bin=$(realpath "${1:?usage: tests/types/run.sh BINARY TYPES}")
types=$(realpath "${2:?usage: tests/types/run.sh BINARY TYPES}")
root=$(dirname "$(realpath "$0")")/../..
tools=${OPENCLAW_TYPES_DIR:-$(dirname "$bin")/../types}
# Nothing of another installation's settings.
for name in $(env | sed -n 's/^\(OPENCLAW_[A-Za-z0-9_]*\|CLAWDBOT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
work=$(mktemp -d)
gateway=
stop() {
    # What it still writes would stand in the way of the removal.
    [ -z "$gateway" ] || { kill "$gateway" && wait "$gateway"; } 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT INT TERM
if command -v swiftc >/dev/null; then
    swiftc -typecheck "$types/OpenClaw.swift"
    echo "swiftc: the Swift types compile"
else
    echo "left out Swift: swiftc is not here"
fi
tsc=$tools/node_modules/typescript/bin/tsc
if [ ! -f "$tsc" ]; then
    mkdir -p "$tools"
    npm install --prefix "$tools" --silent --no-fund --no-audit typescript@5.9 || { echo "npm has no TypeScript"; exit 3; }
fi
mkdir -p "$work/docs" "$work/generated" "$work/.openclaw"
cp "$root/docs/client.ts" "$work/docs/"
cp "$types/openclaw.ts" "$work/generated/"
echo '{"type": "module"}' >"$work/package.json"
(cd "$work" && node "$tsc" --strict --exactOptionalPropertyTypes false --noUnusedLocals --target es2022 \
    --module nodenext --lib es2022,dom --outDir out docs/client.ts)
echo "tsc --strict: the types and the client are right"
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
token=a-token-for-this-test-only
printf '{ gateway: { mode: "local", auth: { mode: "token", token: "%s" } } }' "$token" >"$work/.openclaw/openclaw.json"
HOME="$work" "$bin" gateway --port "$port" >"$work/gateway.log" 2>&1 &
gateway=$!
n=0
until grep -q "listening on" "$work/gateway.log"; do
    n=$((n + 1))
    [ $n -lt 300 ] || { cat "$work/gateway.log"; exit 1; }
    sleep 0.1
done
# Node 20 has its WebSocket behind a switch.
switch=$(node -e 'console.log(typeof WebSocket === "undefined" ? "--experimental-websocket" : "")')
node $switch "$work/out/docs/client.js" "ws://127.0.0.1:$port" "$token" "a word of the client" | tee "$work/said"
grep -q "^protocol 4, " "$work/said" && grep -q "^health: true, agents: main" "$work/said" && grep -q "^ok: ." "$work/said"
if node $switch "$work/out/docs/client.js" "ws://127.0.0.1:$port" wrong >"$work/refused" 2>&1; then exit 1; fi
grep -q "INVALID_REQUEST\|UNAVAILABLE\|NOT_PAIRED\|FORBIDDEN" "$work/refused"
echo "the client has talked to the gateway"
