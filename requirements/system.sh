#!/bin/sh
# Installs the Debian packages of requirements/system.txt that are missing, where it may: as root,
# with apt-get. Elsewhere it only says which are missing; the tests that need them are skipped.
# The servers among them are not started: the tests start their own, on ports of their own.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin
missing=
while read -r package program; do
    case $package in '' | '#'*) continue ;; esac
    command -v "$program" >/dev/null || missing="$missing $package"
done <"$root/requirements/system.txt"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "system: not installed, tests that need them are skipped:$missing" >&2
    exit 0
fi

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086  # a list of words on purpose
apt-get -q -y --no-install-recommends install $missing
