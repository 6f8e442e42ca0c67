# shellcheck shell=sh source=packaging/trials/common.sh
# Debian's package: installed, started as its unit says, upgraded, removed, installed again, purged. No systemd runs here.
. /dist/common.sh
state=/var/lib/openclaw/.openclaw
unit=/usr/lib/systemd/system/openclaw-gateway.service
enabled=/etc/systemd/system/multi-user.target.wants/openclaw-gateway.service
install() { DEBIAN_FRONTEND=noninteractive dpkg -i "$1"; }

holds "it is installed" install /dist/first.deb
holds "there is a system user, who cannot log in" has "$(getent passwd openclaw)" ":/var/lib/openclaw:/usr/sbin/nologin"
holds "its directory is nobody else's" is "$(stat -c '%a %U %G' /var/lib/openclaw)" "700 openclaw openclaw"
holds "the service is enabled" test -L "$enabled"
holds "no token is made by the installation, which images copy" not test -e "$state"
holds "its files are as packed" dpkg -V openclaw
holds "there is a manual page" sh -c 'zcat /usr/share/man/man1/openclaw.1.gz | grep -q "^.TH OPENCLAW"'
for file in bash-completion/completions/openclaw zsh/vendor-completions/_openclaw fish/vendor_completions.d/openclaw.fish; do
    holds "completions: $file" test -s "/usr/share/$file"
done

# What the unit runs, as its user with its variables.
line() { sed -n "s/^$1=//p" "$unit"; }
start() {
    line Environment >/tmp/environment
    line ExecStartPre >/tmp/pre
    as openclaw sh -c "set -a; . /tmp/environment; $(cat /tmp/pre)" &&
        as openclaw sh -c "set -a; . /tmp/environment; cd $(line WorkingDirectory); umask 077; exec $(line ExecStart)" &
    service=$!
}
chmod 1777 /tmp
start >/tmp/gateway.log 2>&1
soon as openclaw openclaw gateway healthcheck
holds "the first start makes a configuration, and the gateway answers" as openclaw openclaw gateway healthcheck
holds "commands of its user reach it" as openclaw openclaw health
holds "an agent answers" as openclaw openclaw agent -m hi
holds "root is told of the service" has "$(openclaw gateway status --no-probe || true)" "$unit"
holds "gateway uninstall leaves the package's unit" not openclaw gateway uninstall
holds "the token is in a file of its own" is "$(stat -c '%a %U' $state/openclaw.json)" "600 openclaw"
holds "others read nothing" not as nobody sh -c "cat $state/openclaw.json || ls /var/lib/openclaw"
holds "no file of the package or of /etc has the token" not grep -rqF \
    "$(sed -n 's/.*"token": "\(.*\)".*/\1/p' $state/openclaw.json)" /etc /usr/share /usr/lib/systemd /var/log /var/lib/dpkg
kill "$(pid_of)"
wait $service || true
holds "it ends" is "$(pid_of)" ""

token=$(sed -n 's/.*"token"//p' $state/openclaw.json)
echo "# mine" >>/etc/default/openclaw-gateway
rm "$enabled"
holds "it is upgraded" install /dist/second.deb
holds "to the next release" has "$(dpkg -s openclaw)" "Version: $(dpkg-deb -f /dist/second.deb Version)"
holds "own settings stay" grep -q "^# mine" /etc/default/openclaw-gateway
holds "the configuration stays" is "$token" "$(sed -n 's/.*"token"//p' $state/openclaw.json)"
holds "what was disabled stays disabled" not test -e "$enabled"

holds "it is removed" dpkg -r openclaw
holds "the program is gone" not test -e /usr/bin/openclaw
holds "what it kept stays" test -e $state/openclaw.json
holds "own settings stay" grep -q "^# mine" /etc/default/openclaw-gateway
holds "it is installed again" install /dist/second.deb
holds "with what it kept" is "$token" "$(sed -n 's/.*"token"//p' $state/openclaw.json)"
holds "it is purged" dpkg -P openclaw
holds "with all that it kept" not test -e /var/lib/openclaw
holds "and its settings" not test -e /etc/default/openclaw-gateway
holds "the user stays" getent passwd openclaw
holds "nothing else is left" is "$(find / -xdev -name '*openclaw*' -not -path '/proc/*' -not -path '/tmp/*' 2>/dev/null)" ""
