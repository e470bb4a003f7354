"""Programs that real shops are served by, for tests: nginx, Hypercorn, and two proxies."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.children import Child, wait_for
from tests.conftest import program
from tests.ports import free_for_both
from tests.transport.certificates import authority, folder

NGINX = """
daemon off; master_process off; {user}
pid {at}/nginx.pid; error_log stderr warn;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
  fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{plain}; listen unix:{at}/web.sock; root {at}/root;
    gzip on; gzip_min_length 1; gzip_types text/plain;
    location = /who {{ return 200 "$host $http_x_shop"; }}
  }}
  server {{
    listen 127.0.0.1:{plain2} http2; location / {{ return 200 "$server_protocol"; }}
  }}
  server {{
    listen 127.0.0.1:{tls} ssl http2; ssl_certificate {certificates}/good.pem;
    ssl_certificate_key {certificates}/good.key;
    location / {{ return 200 "$server_protocol $ssl_server_name"; }}
  }}
  server {{
    listen 127.0.0.1:{mutual} ssl; ssl_certificate {certificates}/good.pem;
    ssl_certificate_key {certificates}/good.key;
    ssl_client_certificate {authority}; ssl_verify_client on;
    location / {{ return 200 "$ssl_client_s_dn"; }}
  }}
}}
"""
APPLICATION = """
async def shop(scope, receive, send):
    if scope["type"] != "http":
        return
    said = scope["http_version"].encode()
    head = {"type": "http.response.start", "status": 200, "headers": [(b"x-spoken", said)]}
    await send(head)
    await send({"type": "http.response.body", "body": said})
"""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def running(argv: list[str | Path], port: int, **how: Path) -> Iterator[Child]:
    """The program, from when its TCP port is open until it has ended."""
    child = Child(argv, **how)
    try:
        wait_for(lambda: _listens(port) or child.process.poll() is not None, 15, what="listening")
        assert child.process.poll() is None, "".join(child.talk)
        yield child
    finally:
        child.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probing:
        return probing.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def nginx(at: Path) -> Iterator[dict[str, int]]:
    """Ports: ``plain`` (files, gzip, and the socket ``web.sock``), ``plain2`` (HTTP/2 over plain
    text), ``tls`` (HTTP/2), ``mutual`` (wants a client certificate)."""
    ports = {name: free_port() for name in ("plain", "plain2", "tls", "mutual")}
    (at / "root").mkdir()
    (at / "root" / "large.txt").write_text("shop " * 20_000)
    conf = at / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(
        NGINX.format(at=at, certificates=folder(), authority=authority(), user=user, **ports)
    )
    with running([program("nginx") or "", "-p", at, "-c", conf], ports["plain"]):
        yield ports


@contextmanager
def hypercorn(at: Path) -> Iterator[int]:
    """One port over TLS: HTTP/1.1 and 2 over TCP, 3 over QUIC."""
    port = free_for_both()
    (at / "application.py").write_text(APPLICATION)
    argv: list[str | Path] = [
        *(sys.executable, "-m", "hypercorn", "application:shop", "--graceful-timeout", "0"),
        *("--bind", f"127.0.0.1:{port}", "--quic-bind", f"127.0.0.1:{port}"),
        *("--certfile", folder() / "good.pem", "--keyfile", folder() / "good.key"),
    ]
    with running(argv, port, cwd=at):
        yield port


@contextmanager
def tinyproxy(at: Path, *more: str) -> Iterator[int]:
    """An HTTP proxy that tunnels to every port; with `more` lines of its configuration."""
    port = free_port()
    lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 20", f'PidFile "{at}/tiny.pid"', *more]
    (at / "tiny.conf").write_text("\n".join(lines) + "\n")
    with running([program("tinyproxy") or "", "-d", "-c", at / "tiny.conf"], port):
        yield port


@contextmanager
def microsocks(*words: str) -> Iterator[int]:
    """A SOCKS 5 proxy."""
    port = free_port()
    with running([program("microsocks") or "", "-i", "127.0.0.1", "-p", str(port), *words], port):
        yield port
