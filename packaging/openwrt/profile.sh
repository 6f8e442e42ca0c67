# shellcheck shell=sh
# Commands of `openclaw` are about the gateway of the service.
OPENCLAW_STATE_DIR="$(uci -q get openclaw.main.state_dir)"
export OPENCLAW_STATE_DIR="${OPENCLAW_STATE_DIR:-/etc/openclaw}"
