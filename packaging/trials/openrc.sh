# shellcheck shell=sh source=packaging/trials/common.sh
# OpenRC: the tarball's service, then one that `openclaw gateway install` writes, under OpenRC itself.
. /dist/common.sh
name=openclaw-gateway
# What a boot makes.
for dir in daemons exclusive failed hotplugged inactive init.d options scheduled started starting stopping tmp wasinactive; do
    mkdir -p /run/openrc/$dir
done
mkdir -p /etc/runlevels/default
touch /run/openrc/softlevel
status() { rc-service $name status; }

# The service that is installed runs, comes back, stops.
lives() {
    soon as "$1" openclaw gateway healthcheck
    holds "$2: the gateway answers" as "$1" openclaw gateway healthcheck
    holds "$2: OpenRC says started" has "$(status 2>&1)" "started"
    pid=$(pid_of)
    holds "$2: gateway status knows the process as the service's" has "$(as "$1" openclaw gateway status)" "running (pid $pid"
    kill -9 "$pid"
    again() { [ -n "$(pid_of)" ] && [ "$(pid_of)" != "$pid" ]; }
    soon again
    holds "$2: it comes back after kill -9" again
    soon as "$1" openclaw gateway healthcheck
    holds "$2: restart" openclaw gateway restart
    soon as "$1" openclaw gateway healthcheck
    holds "$2: it answers again" as "$1" openclaw gateway healthcheck
    holds "$2: stop" openclaw gateway stop
    holds "$2: nothing is left" is "$(pgrep -f 'openclaw gateway$' || true)" ""
    holds "$2: OpenRC says stopped" has "$(status 2>&1 || true)" "stopped"
}

tar -xzf /dist/alpine.tar.gz -C /
holds "the tarball's service is enabled and started" /usr/share/openclaw/enable
holds "OpenRC found its own helpers" not grep -q "not found" /tmp/said
holds "no limit is complained of" not grep -qi "ulimit" /tmp/said
soon as openclaw openclaw gateway healthcheck
holds "it runs as the user openclaw" is "$(stat -c %U "/proc/$(pid_of)")" openclaw
# root's own commands are about root's own state directory: the service is asked by its user.
lives openclaw tarball
holds "the token is in a file of its own" is "$(stat -c '%a %U' /var/lib/openclaw/.openclaw/openclaw.json)" "600 openclaw"
holds "what the tarball brought is not written by others" not openclaw gateway install --force
cp /usr/bin/openclaw /usr/local/bin/openclaw
holds "it is removed" /usr/share/openclaw/disable
hash -r
holds "what it kept stays" test -e /var/lib/openclaw/.openclaw/openclaw.json
holds "nothing else is left" is "$(find /usr /etc -name '*openclaw*' -not -path /usr/local/bin/openclaw)" "/etc/conf.d/openclaw-gateway"

openclaw setup >/dev/null
holds "gateway install" openclaw gateway install
holds "OpenRC found its own helpers" not grep -q "not found" /tmp/said
lives root installed
holds "gateway uninstall" openclaw gateway uninstall
holds "its script is gone" not test -e /etc/init.d/$name
