#!/bin/sh
# Both official OpenAI SDKs against this gateway: `make test-sdk`. Installs them from their registries into
# $OPENCLAW_SDK_DIR (default: the build directory), about 60 MB. Without node or npm the JavaScript half is left out, which
# is told.
# Usage: tests/sdk/run.sh path/to/openclaw
set -eu
bin=$(realpath "${1:?usage: tests/sdk/run.sh BINARY}")
here=$(dirname "$(realpath "$0")")
tools=${OPENCLAW_SDK_DIR:-$(dirname "$bin")/../sdk}
# Nothing of another installation's settings.
for name in $(env | sed -n 's/^\(OPENCLAW_[A-Za-z0-9_]*\|CLAWDBOT_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done
work=$(mktemp -d)
model= gateway=
stop() {
    [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
    [ -z "$model" ] || kill "$model" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT INT TERM
wait_for() { # wait_for FILE TEXT
    n=0
    until grep -q "$2" "$1" 2>/dev/null; do
        n=$((n + 1))
        [ $n -lt 300 ] || { echo "no \"$2\" in $1 after 30 s:"; tail -20 "$1"; exit 1; }
        sleep 0.1
    done
}
mkdir -p "$tools/js"
if ! "$tools/python/bin/python3" -c "import openai" 2>/dev/null; then
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet openai
fi
has_js=
if command -v node >/dev/null && command -v npm >/dev/null; then
    has_js=1
    [ -d "$tools/js/node_modules/openai" ] || npm install --prefix "$tools/js" --silent --no-fund --no-audit openai
fi
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
model_port=$(free_port)
port=$(free_port)
token=a-token-for-this-test-only
python3 "$here/model.py" "$model_port" >"$work/model.log" 2>&1 &
model=$!
wait_for "$work/model.log" listening
mkdir -p "$work/.openclaw"
cat >"$work/.openclaw/openclaw.json" <<END
{
  gateway: { mode: "local", auth: { mode: "token", token: "$token" }, http: { endpoints: {
    chatCompletions: { enabled: true }, responses: { enabled: true } } } },
  models: { providers: { local: { baseUrl: "http://127.0.0.1:$model_port/v1", api: "openai-completions",
    models: [{ id: "m", name: "M" }] } } },
  agents: { defaults: { model: { primary: "local/m" } } },
}
END
HOME="$work" "$bin" gateway --port "$port" >"$work/gateway.log" 2>&1 &
gateway=$!
wait_for "$work/gateway.log" "listening on"
"$tools/python/bin/python3" "$here/python_sdk.py" "http://127.0.0.1:$port/v1" "$token"
if [ -n "$has_js" ]; then
    # Modules are looked for beside the script.
    cp "$here/js_sdk.mjs" "$tools/js/"
    node "$tools/js/js_sdk.mjs" "http://127.0.0.1:$port/v1" "$token"
else
    echo "left out js: node and npm are not here"
fi
