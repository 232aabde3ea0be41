"""The preloaded library makes every TCP socket of a program send at once, and only where there is one."""

import os
import shutil
import subprocess
import sys

import pytest

from petra.onion import network, nodelay
from petra.onion.errors import OnionError

PROGRAM = """
import socket
kinds = [(socket.AF_INET, socket.SOCK_STREAM)]
if socket.has_ipv6:
    kinds.append((socket.AF_INET6, socket.SOCK_STREAM))
server = socket.create_server(("127.0.0.1", 0))
asking = socket.create_connection(server.getsockname())
answering, _ = server.accept()
sockets = [asking, answering, *(socket.socket(*kind) for kind in kinds)]
print({s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0 for s in sockets})
a, b = socket.socketpair()
a.send(b"x"), b.recv(1), socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("127.0.0.1", 0))
"""


def sends_at_once(folder) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=nodelay.environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert not ran.stderr
    return ran.stdout.strip()


def test_with_the_library_all_sockets_of_tcp_do(tmp_path) -> None:
    folder = tmp_path / "with spaces: and colons"
    folder.mkdir()
    assert sends_at_once(folder) == str({False})
    if not nodelay.build(folder):
        why = "a C compiler is missing; run: apt-get install gcc libc6-dev"
        if os.environ.get("PETRA_REQUIRE_ALL") == "1":
            pytest.fail(why)
        pytest.skip(why)
    assert sends_at_once(folder) == str({True})


@pytest.mark.parametrize("compiler", [None, "#!/bin/sh\nexit 1\n", "no program\0"])
def test_without_a_compiler_that_works_none_is_loaded(tmp_path, monkeypatch, compiler) -> None:
    if compiler is not None:
        (tmp_path / "cc").write_text(compiler)
        (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (shutil.which("cc") is None) == (compiler is None)
    (tmp_path / nodelay.LIBRARY).write_text("somebody else's")
    assert nodelay.build(tmp_path) is False
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert "LD_PRELOAD" not in nodelay.environment(tmp_path)


def test_a_network_is_made_in_a_folder_of_its_own(tmp_path, monkeypatch) -> None:
    """Nothing of what was there is left, and nobody else may put anything there."""
    place, elsewhere = tmp_path / "net", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("")
    place.mkdir(mode=0o777)
    (place / nodelay.LIBRARY).write_text("somebody else's")
    (place / "relay0").symlink_to(elsewhere)

    def no_keys(*_):
        raise OnionError("no keys today")

    monkeypatch.setattr(network, "tor_program", lambda: "tor")
    monkeypatch.setattr(network, "_make_keys", no_keys)
    with pytest.raises(OnionError, match="no keys today"):
        network.up(place)
    assert place.stat().st_mode & 0o777 == 0o700
    assert [*elsewhere.iterdir()] == [elsewhere / "kept"]
    library = place / nodelay.LIBRARY
    assert not library.exists() or library.read_bytes() != b"somebody else's"


def test_a_folder_that_cannot_be_used_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(network, "tor_program", lambda: "tor")
    (tmp_path / "file").write_text("")
    with pytest.raises(OnionError, match="give a folder of your own"):
        network.up(tmp_path / "file" / "net")
