"""Certificates for tests, made by openssl once per run: one authority and what it signed."""

import atexit
import shutil
import ssl
import subprocess
import tempfile
from functools import cache
from pathlib import Path

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
SUBJECT = "/O=Acme, Oy/OU=Shop/CN=localhost"


def openssl(*words: str | Path) -> str:
    """Run openssl; what it prints."""
    argv = ["openssl", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def folder() -> Path:
    """Where they are: ``authority.pem`` and NAME.pem with NAME.key for good, expired, other, and
    of their own signature own (its names are right) and self (for no address)."""
    made = Path(tempfile.mkdtemp(prefix="sentinel-tests-"))
    atexit.register(shutil.rmtree, made)
    authority, key = made / "authority.pem", made / "authority.key"
    about = "/O=Sentinel tests/CN=Test authority"
    openssl("req", "-x509", *KEY, "-keyout", key, "-out", authority, "-subj", about, "-days", "30")
    local = "DNS:localhost,DNS:*.shop.example,IP:127.0.0.1"
    _signed(made, "good", names=local, days=20)
    _signed(made, "expired", names=local, days=-1)
    _signed(made, "other", names="DNS:other.example", days=20)
    for name, more in (("self", []), ("own", ["-addext", f"subjectAltName={local}"])):
        files = ["-keyout", made / f"{name}.key", "-out", made / f"{name}.pem"]
        openssl("req", "-x509", *KEY, *files, "-subj", "/CN=localhost", *more)
    return made


def _signed(made: Path, name: str, *, names: str, days: int) -> None:
    request, extensions = made / f"{name}.csr", made / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\n")
    openssl("req", *KEY, "-keyout", made / f"{name}.key", "-out", request, "-subj", SUBJECT)
    signer = ["-CA", made / "authority.pem", "-CAkey", made / "authority.key", "-CAcreateserial"]
    chain = made / f"{name}.pem"
    openssl(
        "x509",
        "-req",
        "-in",
        request,
        *signer,
        "-days",
        str(days),
        "-extfile",
        extensions,
        "-out",
        chain,
    )
    chain.write_text(chain.read_text() + (made / "authority.pem").read_text())


def authority() -> str:
    """The path of what clients must trust."""
    return str(folder() / "authority.pem")


def server(name: str) -> ssl.SSLContext:
    """A server that presents the certificate of this name and its authority's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder() / f"{name}.pem", folder() / f"{name}.key")
    return context


def server_that_asks() -> ssl.SSLContext:
    """A server that wants a client certificate of the authority."""
    context = server("good")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority())
    return context
