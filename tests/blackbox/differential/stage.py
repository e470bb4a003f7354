"""Everything that is probed by both programs: servers on loopback, well and sick, in one thread.

Each has a name, by which cases speak of its port (``<http>``); files likewise (``<ca>``).
"""

import asyncio
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.server import serve

from tests.blackbox.differential.web import proxy, site, tunnelled
from tests.children import wait_for
from tests.conftest import program
from tests.probers.test_grpc import server as grpc_server
from tests.transport.certificates import authority, folder, openssl, server, server_that_asks
from tests.transport.nameserver import names, response
from tests.transport.servers import Script, for_ever, saying, serving, silent

SOA = "shop.example. 60 IN SOA ns.shop.example. who.shop.example. 2026030101 2 3 4 5"


def only(name: str, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server that speaks one version of TLS."""
    context = server(name)
    context.minimum_version = context.maximum_version = version
    return context


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet, and say back what comes, line by line."""
    writer.write(b"hello 4711 ana\r\n")
    while line := await reader.readline():
        writer.write(b"you said " + line)
        await writer.drain()


def upgrading(context: ssl.SSLContext) -> Script:
    """A mail server that begins TLS when asked to."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.shop.example ESMTP\r\n")
        while line := await reader.readline():
            if line.startswith(b"STARTTLS"):
                writer.write(b"220 go ahead\r\n")
                await writer.start_tls(context)
            else:
                writer.write(b"250 said " + line)

    return script


async def closing_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n")


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n")
    own = writer.get_extra_info("socket")
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def zone(asked: bytes, protocol: str) -> list[bytes]:
    """Answers by the first label of the name that is asked for."""
    label = asked[13 : 13 + asked[12]].decode("ascii", "replace")
    records = [f"{label}.example. 300 IN A 192.0.2.{number}" for number in (1, 2)]
    match label:
        case "shop":
            return [
                response(
                    asked,
                    *records,
                    "@authority:shop.example. 60 IN NS ns.shop.example.",
                    "@additional:ns.shop.example. 60 IN A 192.0.2.53",
                )
            ]
        case "recursive":
            return [response(asked, *records, rcode=0 if asked[2] & 1 else 5)]
        case "soa":
            return [response(asked, SOA.replace("shop.example. 60", "soa.example. 60"))]
        case "class":
            good = int.from_bytes(asked[-2:], "big") == 3
            return [response(asked, rcode=0 if good else 5)]
        case "type":
            good = int.from_bytes(asked[-4:-2], "big") == 28
            return [response(asked, rcode=0 if good else 5)]
        case "over":
            return [response(asked, *records, rcode=0 if protocol == "tcp" else 5)]
        case "silent":
            return []
        case "garbage":
            return [asked[:2] + b"\x81\x80" + b"\xff" * 30]
        case "other":
            return [b"\0\0" + response(asked, *records)[2:]]
        case _:
            return [response(asked, rcode=3)]


def tunnel(to: int) -> Script:
    """Everything on to a server of this port, and back."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await tunnelled(reader, writer, "127.0.0.1", to)

    return script


async def talkative(websocket: Any) -> None:
    await websocket.send(f"welcome {websocket.request.headers.get('X-Who', '')}")
    async for message in websocket:
        await websocket.send(f"you said {message}")


async def guarded(websocket: Any) -> None:
    await websocket.send(websocket.request.headers.get("Authorization", "nobody"))


KINDS: dict[str, Callable[[], ssl.SSLContext]] = {
    "": lambda: server("good"),
    "_self": lambda: server("self"),
    "_expired": lambda: server("expired"),
    "_asks": server_that_asks,
    "_12": lambda: only("good", ssl.TLSVersion.TLSv1_2),
    "_13": lambda: only("good", ssl.TLSVersion.TLSv1_3),
}
"""Servers by what is wrong with their certificate, whom they ask for theirs, what they speak."""
HEAD = b"HTTP/1.1 200 OK\r\n"
SICK: dict[str, Script] = {
    "silent": silent,
    "closing": closing_at_once,
    "resetting": resetting,
    "endless_body": for_ever(HEAD + b"\r\n", b"x" * 65536),
    "endless_head": for_ever(HEAD, b"X-More: " + b"x" * 1000 + b"\r\n"),
    "drip": for_ever(HEAD + b"\r\n", b".", every_s=0.02),
    "drip_head": for_ever(HEAD, b"X", every_s=0.02),
    "no_http": saying(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "bad_status": saying(b"HTTP/1.1 abc OK\r\n\r\n"),
    "short": saying(HEAD + b"Content-Length: 100\r\n\r\nhello"),
    "bad_chunk": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
    "cut_chunk": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"),
    "loop": saying(b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"),
    "to_nobody": saying(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\n\r\n"),
    "to_nowhere": saying(b"HTTP/1.1 302 Found\r\nLocation: http://nothing.invalid/\r\n\r\n"),
    "to_ftp": saying(b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/\r\n\r\n"),
    "to_nothing": saying(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
    "to_garbage": saying(b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n"),
    "to_a_bad_port": saying(b"HTTP/1.1 302 Found\r\nLocation: http://a:b/\r\n\r\n"),
    "cookies": saying(HEAD + b"Set-Cookie: a=b\r\n" * 10_000 + b"Content-Length: 2\r\n\r\nok"),
    "bad_utf8": saying(HEAD + b"X-Bad: \xff\xfe\r\nContent-Length: 3\r\n\r\na\xffb"),
    "continued": saying(
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + HEAD + b"Content-Length: 2\r\n\r\nok"
    ),
    "bare_lines": saying(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    "two_lengths": saying(HEAD + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\nok"),
    "old": saying(b"HTTP/1.0 200 OK\r\n\r\nhello"),
    "no_content": saying(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "not_modified": saying(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
}


class Stage:
    """Running servers. `words` are what stands for ``<name>`` in a case."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.words: dict[str, str] = {}

    def said(self, value: Any) -> Any:
        """`value` with every ``<name>`` replaced, however deep it stands."""
        if isinstance(value, str):
            for name, word in self.words.items():
                value = value.replace(f"<{name}>", word)
            return value
        if isinstance(value, dict):
            return {self.said(key): self.said(one) for key, one in value.items()}
        return [self.said(one) for one in value] if isinstance(value, list) else value

    async def _open(self, stack: AsyncExitStack) -> None:
        async def put(name: str, script: Script, tls: ssl.SSLContext | None = None) -> None:
            port = await stack.enter_async_context(serving(script, tls))
            self.words[name] = str(port)

        await put("http", site)
        await put("proxy", proxy)
        await put("tcp", echo)
        for name, script in SICK.items():
            await put(name, script)
        for kind, make in KINDS.items():
            context = make()
            await put(f"https{kind}", site, context)
            await put(f"tcps{kind}", echo, context)
            await put(f"mail{kind}", upgrading(context))
            grpc_context = make()
            grpc_context.set_alpn_protocols(["h2"])
            await put(f"grpcs{kind}", tunnel(int(self.words["grpc"])), grpc_context)
            port, _ = await stack.enter_async_context(names(zone, context))
            self.words[f"dot{kind}"] = str(port)
            path = str(self.home / f"unixs{kind}")
            await self._unix(stack, echo, path, context)
            self.words[f"unixs{kind}"] = path
            upgrade = await stack.enter_async_context(serve(talkative, "127.0.0.1", 0, ssl=context))
            self.words[f"wss{kind}"] = str(upgrade.sockets[0].getsockname()[1])
        for name, script in (("unix", echo), ("unix_mail", upgrading(server("good")))):
            self.words[name] = str(self.home / name)
            await self._unix(stack, script, self.words[name], None)
        port, _ = await stack.enter_async_context(names(zone))
        self.words["dns"] = str(port)
        for name, handler in (("ws", talkative), ("ws_guarded", guarded)):
            running = await stack.enter_async_context(serve(handler, "127.0.0.1", 0))
            self.words[name] = str(running.sockets[0].getsockname()[1])

    async def _unix(
        self, stack: AsyncExitStack, script: Script, path: str, tls: ssl.SSLContext | None
    ) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if tls is not None:
                    await writer.start_tls(tls)
                await script(reader, writer)
            except OSError:  # the client was not content
                writer.transport.abort()
            finally:
                writer.close()

        running = await asyncio.start_unix_server(answer, path)
        stack.push_async_callback(_closed, running)

    def write_files(self) -> None:
        """Secrets and bodies that modules name by path; PEM texts stand for themselves too."""
        for name, content in (
            ("user", "ana\n"),
            ("password", "secret\n"),
            ("token", "t0ken\n"),
            ("wrong", "wrong\n"),
            ("body", "of a file"),
        ):
            path = self.home / f"{name}.txt"
            path.write_text(content)
            self.words[f"{name}_file"] = str(path)
        for name, path in (
            ("ca", Path(authority())),
            *((f"{kind}_cert", folder() / f"{kind}.pem") for kind in ("good", "self")),
            *((f"{kind}_key", folder() / f"{kind}.key") for kind in ("good", "self")),
        ):
            self.words[f"{name}_path"] = str(path)
            self.words[f"{name}_pem"] = path.read_text()
        rsa = self.home / "rsa.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", rsa)
        self.words |= {"rsa_path": str(rsa), "rsa_pem": rsa.read_text()}


async def _closed(running: asyncio.Server) -> None:
    running.close()


@contextmanager
def on_stage(home: Path) -> Iterator[Stage]:
    """All servers, until the block ends."""
    stage = Stage(home)
    stage.write_files()
    stage.words["home"] = str(home)
    with ExitStack() as stack:
        for name, guarded_ in (("grpc", False), ("grpc_guarded", True)):
            stage.words[name] = str(stack.enter_context(grpc_server(guarded=guarded_)))
        nobody = stack.enter_context(closing(_unheard()))
        stage.words["nobody"] = str(nobody.getsockname()[1])
        stage.words["h2"] = str(stack.enter_context(nginx(home)))
        stack.enter_context(running(stage))
        yield stage


@contextmanager
def nginx(home: Path) -> Iterator[int]:
    """A server that speaks HTTP/2 where it is asked for; gives its port."""
    with closing(_unheard()) as taken:
        port = int(taken.getsockname()[1])
    file = home / "nginx.conf"
    file.write_text(NGINX.format(home=home, port=port, certificates=folder()))
    argv = [str(program("nginx")), "-c", str(file), "-e", str(home / "nginx.log")]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port), what="nginx")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


NGINX = """
daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/nginx.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
  uwsgi_temp_path {home}; scgi_temp_path {home};
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {certificates}/good.pem; ssl_certificate_key {certificates}/good.key;
    location / {{ return 200 "hello you"; }}
  }}
}}
"""


def _unheard() -> socket.socket:
    """A port that is taken and at which nobody listens."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


@contextmanager
def running(stage: Stage) -> Iterator[None]:
    """The servers in a loop of their own."""
    opened, over = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            await stage._open(stack)
            opened.set()
            await loop.run_in_executor(None, over.wait)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as wrong:
            failed.append(wrong)
            opened.set()

    thread = threading.Thread(target=run, name="stage")
    thread.start()
    try:
        assert opened.wait(20), "the servers did not begin"
        assert not failed, failed
        yield
    finally:
        over.set()
        thread.join(20)
