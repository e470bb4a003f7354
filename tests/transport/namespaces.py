"""A network of its own for a test: what it may do and where its routes lead, without touching the
machine's. (`unshare` of util-linux, `ip` of iproute2; a user namespace gives the rights.)"""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent

ALLOWED = "echo '0 0' > /proc/sys/net/ipv4/ping_group_range"
FORBIDDEN = ":"  # as a new network is
HOLE = f"""{ALLOWED}
ip link add hole type veth peer name nowhere; ip link set nowhere up
ip addr add 10.9.0.1/24 dev hole; ip link set hole up
ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev hole
"""
"""A network with an address, 10.9.0.9, at which nobody answers."""


def _run(script: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
    argv = ["unshare", "--user", "--map-root-user", "--net", "sh", "-ec", script]
    return subprocess.run(argv, capture_output=True, text=True, timeout=seconds, cwd=ROOT)


@cache
def possible() -> bool:
    """Whether the system lets us have one."""
    try:
        return _run(f"ip link set lo up; {ALLOWED}").returncode == 0
    except OSError:
        return False


def own_network(test: Any) -> Any:
    """For a test that needs a network of its own."""
    reason = "this system gives no network of one's own"
    marked = pytest.mark.skipif(not possible(), reason=reason)(test)
    return pytest.mark.slow(pytest.mark.needs("iproute2")(marked))


def printed(code: str, *, before: str = "", drop: bool = False) -> str:
    """What a Python program prints in a new network, after the shell lines `before`. With `drop`
    it has no capability of that network any more."""
    run = f'{sys.executable} -c "$CODE"'
    if drop:
        run = f"setpriv --bounding-set=-net_raw --inh-caps=-net_raw {run}"
    script = f"ip link set lo up\n{before}\nCODE=$(cat <<'END'\n{code}\nEND\n)\n{run}"
    done = _run(script)
    assert done.returncode == 0, done.stderr
    return done.stdout
