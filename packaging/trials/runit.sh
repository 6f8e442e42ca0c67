# shellcheck shell=sh source=packaging/trials/common.sh
# runit: the tarball's run and finish, under runsvdir.
. /dist/common.sh
tar -xzf /dist/plain.tar.gz -C /tmp
cd /tmp/openclaw-*/ || exit 1
./install.sh >/dev/null
useradd --create-home me
as me /usr/local/bin/openclaw setup >/dev/null
service=/etc/sv/openclaw-gateway
mkdir -p $service /tmp/services
for file in run finish; do sed 's/youruser/me/g' runit/$file >$service/$file && chmod +x $service/$file; done
cd /
ln -s $service /tmp/services/openclaw-gateway
runsvdir /tmp/services >/tmp/runsvdir.log 2>&1 &
healthy() { as me /usr/local/bin/openclaw gateway healthcheck; }

soon healthy
holds "the gateway answers" healthy
holds "sv says run" has "$(sv status $service)" "run: "
holds "it runs as its user" is "$(stat -c %U "/proc/$(pid_of)")" me
pid=$(pid_of)
kill -9 "$pid"
again() { [ -n "$(pid_of)" ] && [ "$(pid_of)" != "$pid" ]; }
sleep 5
soon again
holds "it comes back after kill -9" again
soon healthy
holds "sv restart" sv restart $service
soon healthy
holds "it answers again" healthy
holds "sv down" sv down $service
gone() { [ -z "$(pid_of)" ]; }
soon gone
holds "nothing is left" gone
echo "{" >/home/me/.openclaw/openclaw.json
sv up $service
down() { sv status $service | grep -q '^down: .*normally up\|^down: '; }
soon down
sleep 6
holds "a configuration that must be fixed first keeps it down" has "$(sv status $service)" "down: "
