"""What is watched: one nginx (plain, TLS and bare connections), one name server, loopback's echo.

Started by the benchmark that needs them and stopped with it. TLS is as dear as it gets: 1.3 only,
a P-256 leaf below an authority of its own, no tickets and no session cache, so that each handshake
is a full one. Names are answered with a TTL of 0. Nothing of this is in any figure: only the CPU
of who asks is.
"""

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.programs import free_port, needed, running

NAME = "shop.acme.example"
ADDRESS = "192.0.2.10"
PAGE = b"<html><body>" + b"<p>Add to basket</p>" * 510 + b"</body></html>"
_PATH = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.key;
  ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;
  server {{
    listen 127.0.0.1:{plain} backlog=4096; listen 127.0.0.1:{secure} ssl backlog=4096;
    root {folder}/www;
    location /broken {{ return 500; }}
  }}
}}
"""
_MODULES = """
modules:
  http: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4}}}}
  https:
    prober: http
    timeout: 5s
    http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {ca}}}}}
  tcp: {{prober: tcp, timeout: 5s, tcp: {{preferred_ip_protocol: ip4}}}}
  dns:
    prober: dns
    timeout: 5s
    dns: {{preferred_ip_protocol: ip4, query_name: {name}, query_type: A}}
  icmp: {{prober: icmp, timeout: 5s, icmp: {{preferred_ip_protocol: ip4}}}}
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is: ports of 127.0.0.1, and files."""

    plain: int
    secure: int
    names: int
    ca_file: str
    modules: str
    """A blackbox.yml with a module of each name that `target` knows."""

    def target(self, kind: str) -> str:
        """What an exporter is given for ``http``, ``https``, ``tcp``, ``dns`` or ``icmp``."""
        return {
            "http": f"http://127.0.0.1:{self.plain}/",
            "https": f"https://127.0.0.1:{self.secure}/",
            "tcp": f"127.0.0.1:{self.plain}",
            "dns": f"127.0.0.1:{self.names}",
            "icmp": "127.0.0.1",
        }[kind]


@contextlib.contextmanager
def targets() -> Iterator[Places]:
    """All of them, for as long as the block lasts."""
    nginx = needed(shutil.which("nginx", path=_PATH), "nginx")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "www").mkdir()
        (folder / "www" / "index.html").write_bytes(PAGE)
        _certify(folder)
        plain, secure, names = free_port(), free_port(), free_port(socket.SOCK_DGRAM)
        text = _NGINX.format(folder=folder, plain=plain, secure=secure)
        (folder / "nginx.conf").write_text(text)
        modules = folder / "blackbox.yml"
        modules.write_text(_MODULES.format(ca=folder / "ca.pem", name=NAME))
        with (
            running([nginx, "-c", str(folder / "nginx.conf")], plain),
            running([sys.executable, "-m", "benchmarks.targets", str(names)]),
        ):
            yield Places(plain, secure, names, str(folder / "ca.pem"), str(modules))


@contextlib.contextmanager
def exporter(places: Places, **environment: str) -> Iterator[tuple[int, int]]:
    """Debian's blackbox_exporter with the modules of `places`: its port and its pid."""
    program = shutil.which("prometheus-blackbox-exporter")
    port = free_port()
    argv = [
        needed(program, "prometheus-blackbox-exporter"),
        f"--config.file={places.modules}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with running(argv, port, environment) as pid:
        yield port, pid


def _certify(folder: Path) -> None:
    """An authority and a leaf for 127.0.0.1, both with keys on P-256."""
    openssl = needed(shutil.which("openssl"), "openssl")
    new = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    new += ["-nodes", "-days", "30"]
    authority = ["-subj", "/CN=Benchmark CA", "-keyout", "ca.key", "-out", "ca.pem"]
    leaf = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"]
    leaf += ["-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key"]
    for rest in (authority, [*leaf, "-keyout", "leaf.key", "-out", "leaf.pem"]):
        subprocess.run([*new, *rest], cwd=folder, check=True, capture_output=True, timeout=30)


def answer_names(port: int) -> None:
    """Answer every question on this port with `ADDRESS` and a TTL of 0, until killed."""
    record = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04" + socket.inet_aton(ADDRESS)
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", port))
        while True:
            asked, whence = server.recvfrom(512)
            end = asked.index(b"\0", 12) + 5
            head = asked[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0"
            server.sendto(head + asked[12:end] + record, whence)


if __name__ == "__main__":
    answer_names(int(sys.argv[1]))
