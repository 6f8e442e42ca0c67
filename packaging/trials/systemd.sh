# shellcheck shell=sh source=packaging/trials/common.sh
# Debian's package under systemd itself: its unit with all of its hardening, as far as this kernel has it.
. /dist/common.sh
unit=openclaw-gateway.service
state=/var/lib/openclaw/.openclaw
property() { systemctl show "$unit" --property="$1" --value; }
booted() { [ "$(systemctl is-system-running)" != starting ]; }
healthy() { as openclaw openclaw gateway healthcheck; }

soon booted
holds "the package is installed, enabled and started" dpkg -i /dist/first.deb
soon healthy
holds "the gateway answers" healthy
holds "systemd was told that it is ready" is "$(property Type) $(property ActiveState) $(property StatusText)" "notify active serving clients"
holds "the unit is enabled" is "$(systemctl is-enabled $unit)" enabled
holds "no setting of the unit is unknown" not sh -c "systemd-analyze verify $unit 2>&1 | grep openclaw-gateway"
holds "it has a configuration of its own making" is "$(stat -c '%a %U' $state/openclaw.json)" "600 openclaw"
holds "an agent answers" as openclaw openclaw agent -m hi
pid=$(property MainPID)
holds "its user's commands know it as the service" has "$(as openclaw openclaw gateway status --verbose)" "running (pid $pid"
holds "root's too" has "$(openclaw gateway status --verbose)" "running (pid $pid"
kill -9 "$pid"
sleep 5
soon healthy
holds "it comes back after kill -9" healthy
holds "by systemd" is "$(property NRestarts)" 1
before=$(property MainPID)
holds "openclaw gateway restart, by root" openclaw gateway restart
soon healthy
holds "is another process" not is "$before" "$(property MainPID)"
cp $state/openclaw.json /tmp/kept
echo "{" >$state/openclaw.json
systemctl restart $unit || true
down() { [ "$(property ActiveState)" = failed ]; }
soon down
holds "a configuration that must be fixed first keeps it down" is "$(property ActiveState) $(property ExecMainStatus)" "failed 78"
cat /tmp/kept >$state/openclaw.json
holds "and lets it start when it is" systemctl start $unit
systemctl disable --quiet $unit
holds "it is removed" dpkg -r openclaw
holds "with its process" is "$(pgrep -x openclaw || true)" ""
holds "it is purged" dpkg -P openclaw
holds "with all that it kept" not ls -d /var/lib/openclaw /var/log/openclaw-gateway
