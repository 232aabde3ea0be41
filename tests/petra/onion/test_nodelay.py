"""The preloaded library makes every TCP socket of a program send at once, and only where there is one."""

import os
import shutil
import subprocess
import sys

import pytest

from petra.onion import nodelay

PROGRAM = """
import socket
kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_STREAM)]
server = socket.create_server(("127.0.0.1", 0))
asking = socket.create_connection(server.getsockname())
answering, _ = server.accept()
sockets = [asking, answering, *(socket.socket(*kind) for kind in kinds)]
print([s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0 for s in sockets])
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
    assert sends_at_once(folder) == str([False] * 4)
    if not nodelay.build(folder):
        why = "a C compiler is missing; run: apt-get install gcc libc6-dev"
        if os.environ.get("PETRA_REQUIRE_ALL") == "1":
            pytest.fail(why)
        pytest.skip(why)
    assert sends_at_once(folder) == str([True] * 4)


@pytest.mark.parametrize("compiler", [None, "#!/bin/sh\nexit 1\n", "no program\0"])
def test_without_a_compiler_that_works_there_is_none(tmp_path, monkeypatch, compiler) -> None:
    if compiler is not None:
        (tmp_path / "cc").write_text(compiler)
        (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (shutil.which("cc") is None) == (compiler is None)
    assert nodelay.build(tmp_path) is False
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    assert "LD_PRELOAD" not in nodelay.environment(tmp_path)
