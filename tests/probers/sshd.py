"""Debian's sshd on loopback, with its own keys, its own user list, and SFTP only."""

import getpass
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.children import wait_for
from tests.conftest import program

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_ed25519
HostKey {folder}/host_rsa
PidFile none
AuthorizedKeysFile {folder}/keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
ForceCommand internal-sftp
MaxStartups 100
PerSourceMaxStartups none
PerSourcePenalties no
"""


@dataclass
class Sshd:
    """A running server. `client` is the private key that may sign in."""

    folder: Path
    port: int
    user: str

    @property
    def client(self) -> Path:
        return self.folder / "client"

    def fingerprint(self, kind: str = "ed25519") -> str:
        argv = ["ssh-keygen", "-lf", str(self.folder / f"host_{kind}.pub")]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[1]

    def known_hosts(self) -> str:
        keys = (self.folder / "host_ed25519.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {keys[0]} {keys[1]}\n"


@contextmanager
def running(folder: Path, more: str = "") -> Iterator[Sshd]:
    for name, kind in (("host_ed25519", "ed25519"), ("host_rsa", "rsa"), ("client", "ed25519")):
        argv = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / name)]
        subprocess.run(argv, check=True)
    (folder / "keys").write_text((folder / "client.pub").read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = CONFIG.format(port=port, folder=folder) + more
    if _too_old(lines, folder):
        lines = lines.replace("PerSourcePenalties no\n", "")
    (folder / "config").write_text(lines)
    Path("/run/sshd").mkdir(exist_ok=True)
    log = (folder / "log").open("wb")
    argv = [program("openssh-server"), "-D", "-e", "-f", str(folder / "config")]
    started = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        wait_for(lambda: b"Server listening" in (folder / "log").read_bytes(), 20)
        yield Sshd(folder, port, getpass.getuser())
    finally:
        started.terminate()
        started.wait(20)
        log.close()


def _too_old(lines: str, folder: Path) -> bool:
    """Whether this sshd does not know the last word of the configuration (before 9.8)."""
    (folder / "config").write_text(lines)
    argv = [program("openssh-server"), "-t", "-f", str(folder / "config")]
    return b"PerSourcePenalties" in subprocess.run(argv, capture_output=True).stderr
