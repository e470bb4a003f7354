#!/bin/sh
# Makes .venv with the first Python that is new enough: sh requirements/venv.sh [PYTHON]
# On Debian the module `venv` lacks its pip until python3-venv is there; root gets it installed.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}
python=
for candidate in ${1:-} python3 python3.13 python3.12 python3.11; do
    if new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "venv: Python 3.11 or newer is needed; name one with PYTHON=/path/to/python3" >&2
    exit 1
fi
if [ -x .venv/bin/python ] && new_enough .venv/bin/python; then
    exit 0
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get -q update
        DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install python3-venv
    else
        echo "venv: this Python cannot make environments; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi
rm -rf .venv
"$python" -m venv .venv
