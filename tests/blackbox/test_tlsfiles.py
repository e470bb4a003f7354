"""What a `tls_config` names is read anew, and held once."""

import pytest

from sentinel.blackbox.check import Check, Notes
from sentinel.blackbox.ended import Ended
from sentinel.blackbox.module import TlsConfig
from sentinel.blackbox.tlsfiles import material
from sentinel.transport.curl import Transport


def check(files):
    def read_file(path):
        try:
            return files[path].encode()
        except KeyError:
            raise FileNotFoundError(2, "No such file") from None

    transport = Transport()
    return Check(
        "https://shop.example/", "", 1.0, transport, bool, read_file, float, Notes(transport.now)
    )


def test_a_file_that_changes_is_seen_at_the_next_probe():
    files = {"ca.pem": "old"}
    asked, config = check(files), TlsConfig(ca_file="ca.pem")
    before = material(asked, config)
    files["ca.pem"] = "new"

    assert ["old", "new"] == [before.ca_pem, material(asked, config).ca_pem]


def test_who_reads_the_same_authorities_holds_the_same_text():
    """A machine's authorities are 200 KB, and tens of thousands of requests are remembered."""
    files = {"a.pem": "an authority" * 100, "b.pem": "an authority" * 100}
    one, other = (material(check(files), TlsConfig(ca_file=name)) for name in files)

    assert one.ca_pem is other.ca_pem


def test_a_file_that_is_missing_ends_the_probe():
    with pytest.raises(Ended, match="file_unreadable"):
        material(check({}), TlsConfig(ca_file="ca.pem"))
