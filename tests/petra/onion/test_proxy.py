"""The wallets' SOCKS port, played by a stub that writes down what it is asked."""

import asyncio
import socket
import threading
from contextlib import contextmanager

import pytest

httpx2 = pytest.importorskip("httpx2", reason="httpx2 is missing; run: pip install 'petra[service]'")

from petra.onion.connections import DirectConnection, watched_connections  # noqa: E402
from petra.onion.errors import NotAnonymous, NotTor  # noqa: E402
from petra.onion.proxy import TorProxy, direct_client  # noqa: E402


@contextmanager
def listening(answer):
    """A server on loopback that hands every connection to ``answer``; gives its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    answer(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


class StubProxy:
    """Speaks SOCKS5 with user name and password, and answers HTTP in place of the onion service."""

    def __init__(self):
        self.asked = []

    def __call__(self, connection):
        connection.recv(100)
        connection.sendall(b"\x05\x02")
        login = connection.recv(600)
        username = login[2 : 2 + login[1]]
        connection.sendall(b"\x01\x00")
        request = connection.recv(600)
        assert request[:4] == b"\x05\x01\x00\x03", "the name must reach the proxy unresolved"
        self.asked.append((request[5 : 5 + request[4]].decode(), username))
        connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def fetch(proxy, identity, url):
    async def run():
        async with proxy.client(identity) as client:
            return (await client.get(url)).status_code

    return asyncio.run(run())


def test_names_reach_the_proxy_unresolved_and_every_session_and_role_has_its_own_credentials():
    stub = StubProxy()
    with listening(stub) as port, watched_connections([("127.0.0.1", port)]) as log:
        proxy = TorProxy(port)
        for session, role in [(b"a", "mix"), (b"a", "offer"), (b"b", "mix"), (b"a", "mix")]:
            assert fetch(proxy, proxy.identity(session, role), "http://abc.onion/x") == 204
        proxy.forget(b"a")
        assert fetch(proxy, proxy.identity(b"a", "mix"), "http://abc.onion/x") == 204
    hosts, users = zip(*stub.asked, strict=True)
    assert set(hosts) == {"abc.onion"}
    assert users[0] == users[3]
    assert len(set(users)) == 4
    assert set(log.opened) == {f"127.0.0.1:{port}"}


def test_environment_variables_cannot_turn_requests_aside(monkeypatch):
    stub = StubProxy()
    for name in ("ALL_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    with listening(stub) as port:
        proxy = TorProxy(port)
        assert fetch(proxy, proxy.identity(b"a", "mix"), "http://abc.onion/") == 204
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://example.org/", "https://abc.onion/", "http://abc.onion.example/"]
)
def test_only_onion_services_are_asked(url):
    stub = StubProxy()
    with listening(stub) as port:
        proxy = TorProxy(port)
        with pytest.raises(NotAnonymous):
            fetch(proxy, proxy.identity(b"a", "mix"), url)
    assert stub.asked == []


def test_a_proxy_that_is_gone_is_an_error_and_nothing_else_is_tried():
    with listening(lambda connection: None) as port:
        pass
    proxy = TorProxy(port)
    with watched_connections([("127.0.0.1", port)]) as log, pytest.raises(httpx2.ConnectError):
        fetch(proxy, proxy.identity(b"a", "mix"), "http://abc.onion/")
    assert set(log.opened) == {f"127.0.0.1:{port}"}
    with pytest.raises(NotTor, match="nothing answers"):
        proxy.verify()


def plain_socks(connection):
    """A SOCKS proxy as most are: it does not know Tor's command."""
    data = connection.recv(100)
    if data[:1] == b"\x05":
        connection.sendall(b"\x05\x00")
        connection.recv(100)
        connection.sendall(b"\x05\x07\x00\x01" + bytes(6))


def web_server(connection):
    connection.recv(100)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")


@pytest.mark.parametrize("answer", [plain_socks, web_server, lambda connection: None])
def test_what_is_not_tor_is_refused(answer):
    with listening(answer) as port, pytest.raises(NotTor, match="not Tor"):
        TorProxy(port).verify()


def test_identities_do_not_show_their_passwords():
    identity = TorProxy(9).identity(b"a", "mix")
    assert identity.password not in repr(identity)


def test_a_planted_direct_connection_is_stopped_before_it_is_opened():
    arrived = []
    with listening(arrived.append) as port, watched_connections([("127.0.0.1", 9)]) as log:

        async def run():
            async with direct_client() as client:
                await client.get(f"http://127.0.0.1:{port}/")

        with pytest.raises(httpx2.ConnectError):
            asyncio.run(run())
    assert [refusal.target for refusal in log.stopped] == [f"127.0.0.1:{port}"]
    assert arrived == []


def test_a_planted_lookup_of_a_name_is_stopped():
    with watched_connections([("127.0.0.1", 9)]) as log, pytest.raises(DirectConnection):
        socket.getaddrinfo("board.example", 80)
    assert [refusal.target for refusal in log.stopped] == ["board.example"]


def test_a_log_without_a_list_stops_nothing():
    with listening(lambda connection: None) as port, watched_connections() as log:
        socket.create_connection(("127.0.0.1", port)).close()
    assert log.opened == {f"127.0.0.1:{port}": 1}
    assert log.stopped == []


def test_a_planted_lookup_of_an_addresss_name_is_stopped():
    with watched_connections([]) as log:
        with pytest.raises(DirectConnection):
            socket.gethostbyaddr("127.0.0.1")
        with pytest.raises(DirectConnection):
            socket.getnameinfo(("127.0.0.1", 80), 0)
    assert len(log.stopped) == 2
