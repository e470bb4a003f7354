"""A node's socket is found however deep its folder lies."""

from pathlib import Path

import pytest

from sentinel.cli.client import LocalConnection
from sentinel.cli.run import listen


@pytest.mark.parametrize("depth", [0, 5])
def test_a_socket_is_bound_and_found_however_deep_its_folder_lies(
    tmp_path: Path, depth: int
) -> None:
    folder = tmp_path.joinpath(*["a-folder-with-a-long-name"] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    sockets = listen("127.0.0.1:0", folder / "node.sock")
    client = LocalConnection(folder / "node.sock", timeout_s=5.0)
    try:
        sockets[1].listen()
        client.connect()
        accepted, _ = sockets[1].accept()
        accepted.sendall(b"here")
        assert b"here" == client.sock.recv(4)
        accepted.close()
        assert 0o600 == (folder / "node.sock").stat().st_mode & 0o777
    finally:
        client.close()
        for each in sockets:
            each.close()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 5, "node.sock")
    client = LocalConnection(missing)
    with pytest.raises(FileNotFoundError):
        client.connect()
    client.close()
