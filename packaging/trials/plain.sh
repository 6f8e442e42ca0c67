# shellcheck shell=sh source=packaging/trials/common.sh
# The tarball: install.sh writes what it names and nothing else, for root and for a user.
. /dist/common.sh
tar -xzf /dist/plain.tar.gz -C /tmp
useradd --create-home me
chmod 755 /tmp/openclaw-*
cd /tmp/openclaw-*/ || exit 1
listed() { find / -xdev -newer /dist/mark \( -type f -o -type l \) -not -path '/proc/*' -not -path '/sys/*' | LC_ALL=C sort; }
named() { sed -n 's/^install //p' "$1" | LC_ALL=C sort; }

touch /dist/mark && sleep 1
holds "--dry-run writes nothing" ./install.sh --dry-run
holds "nothing was written" is "$(listed)" ""
./install.sh >/run/said
holds "root: what is written is what was named" is "$(listed)" "$(named /run/said)"
holds "root: the program runs" openclaw --version
./install.sh --uninstall >/run/said
holds "root: nothing is left" is "$(listed)" ""
as me ./install.sh >/run/said
holds "a user: what is written is what was named" is "$(listed)" "$(named /run/said)"
holds "a user: below the home" test -x /home/me/.local/bin/openclaw
holds "a wrong option is refused" not ./install.sh --prefx /x
