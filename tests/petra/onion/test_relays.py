import os
from copy import deepcopy

import pytest

from assets.codec import canonical
from assets.errors import EncodingError
from assets.keys import SigningKey
from contracts.relay_lists import RecordedList, list_hash
from petra.onion.errors import OnionError
from petra.onion.joining import check_network, network_body, write_torrc
from petra.onion.keyfiles import kept_key, kept_secret
from petra.onion.layout import Authority, Layout, Role, torrc
from petra.onion.network import Network, load, up
from petra.onion.ports import HIGHEST, LOWEST, free_ports
from petra.onion.relays import publish_relays, read_directory, read_relays

KEY = SigningKey(b"\x03" * 32)


@pytest.fixture
def network(tmp_path):
    layout = Layout.on_loopback(tmp_path)
    for node in layout.nodes:
        node.folder.mkdir()
        (node.folder / "fingerprint").write_text(f"{node.name} {node.or_port:040d}\n")
    authorities = tuple(Authority(n, f"{n.dir_port:040d}", f"{n.or_port:040d}") for n in layout.of(Role.AUTHORITY))
    return Network(layout, authorities, {})


def test_a_published_list_is_read_back(network):
    relays = publish_relays(network, KEY)
    assert read_relays(relays.encoded, KEY.address, relays.digest) == relays
    assert len(relays.body["authorities"]) == 3
    assert len(relays.body["relays"]) == 3


def test_another_list_publisher_or_hash_is_refused(network):
    relays = publish_relays(network, KEY)
    other = publish_relays(network, SigningKey(b"\x04" * 32))
    with pytest.raises(EncodingError, match="publisher"):
        read_relays(other.encoded, KEY.address)
    with pytest.raises(EncodingError, match="hash"):
        read_relays(relays.encoded, KEY.address, type(relays.digest)(bytes(32)))
    with pytest.raises(EncodingError):
        read_relays(relays.encoded.replace(b"relay0", b"relay9"), KEY.address)
    with pytest.raises(EncodingError):
        read_relays(b"{}")


def test_every_node_knows_all_authorities_and_nobody_exits(network):
    for node in network.layout.nodes:
        text = torrc(node, network.authorities, 7)
        assert text.count("DirAuthority ") == 3
        assert "__OwningControllerProcess 7" in text
        assert ("ExitPolicy reject *:*" in text) == node.routes
        assert ("SocksPort 0" in text) == (node.role is not Role.WALLET)


def test_no_two_nodes_share_a_port(network):
    ports = [p for n in network.layout.nodes for p in (n.control_port, n.or_port, n.dir_port, n.socks_port) if p]
    assert len(set(ports)) == len(ports)
    assert all(LOWEST <= port < HIGHEST for port in [*ports, *free_ports(2)])


def test_a_folder_without_a_network_says_how_to_start_one(tmp_path):
    with pytest.raises(OnionError, match="petra onion up"):
        load(tmp_path)


def test_a_kept_secret_stays_and_nobody_else_can_read_it(tmp_path):
    path = tmp_path / "key"
    key = kept_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_key(path).address == key.address
    assert kept_key(None).address != key.address
    os.chmod(path, 0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        kept_key(path)
    path.chmod(0o600)
    path.write_text("no key\n")
    with pytest.raises(ValueError, match="key"):
        kept_key(path)
    assert kept_secret(tmp_path / "other", lambda: "abc") == "abc"


def test_a_folder_of_other_things_is_not_emptied(tmp_path, monkeypatch):
    monkeypatch.setattr("petra.onion.network.tor_program", lambda: "tor")
    (tmp_path / "diary").write_text("mine")
    with pytest.raises(OnionError, match="diary"):
        up(tmp_path)
    assert (tmp_path / "diary").read_text() == "mine"


@pytest.mark.parametrize(
    "state", ["[", "[]", "{}", '{"nodes": [], "authorities": [], "pids": {}}', '{"nodes": [1]}', "[" * 100_000]
)
def test_a_damaged_state_of_a_network_is_said_in_one_sentence(tmp_path, state):
    (tmp_path / "network.json").write_text(state)
    with pytest.raises(OnionError, match="damaged"):
        load(tmp_path)


def test_a_secret_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="key holds no"):
        kept_secret(path, str)


def changed(body, path, value):
    """``body`` with the value at ``path`` replaced; ``None`` removes it."""
    body = deepcopy(body)
    *way, last = path
    at = body
    for step in way:
        at = at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return body


def test_a_wallets_torrc_follows_from_the_list_alone(network, tmp_path):
    recorded = RecordedList(3, canonical(network_body(network)))
    assert recorded.digest == publish_relays(network, KEY).digest == list_hash(recorded.data)
    node = write_torrc(tmp_path / "home", recorded, 20_001)
    text = node.torrc.read_text()
    assert [line for line in text.splitlines() if line.startswith("DirAuthority")] == [
        authority.line for authority in network.authorities
    ]
    assert "SocksPort 127.0.0.1:20001 IsolateSOCKSAuth" in text
    assert "ClientOnly 1" in text
    assert "TestingTorNetwork 1" in text


def test_a_network_on_many_machines_is_no_testing_network(network, tmp_path):
    body = network_body(network)
    for authority in body["authorities"]:
        authority["line"] = authority["line"].replace("127.0.0.1", "192.0.2.7")
    text = write_torrc(tmp_path / "home", RecordedList(1, canonical(body))).torrc.read_text()
    assert "Testing" not in text
    assert text.count("192.0.2.7") == 3


LINE = ("authorities", 0, "line")
WRONG = {
    "another option": (LINE, lambda line: line + "\nSocksPolicy accept *"),
    "an option in between": (LINE, lambda line: line.replace("orport", "bridge orport")),
    "a host name": (LINE, lambda line: line.replace("127.0.0.1", "example.org")),
    "another fingerprint than said": (LINE, lambda line: line[:-40] + "A" * 40),
    "no line": (LINE, lambda line: None),
    "a number for a line": (LINE, lambda line: 7),
    "no authority": (("authorities",), lambda _: []),
    "no list": (("relays",), lambda _: {}),
    "a short fingerprint": (("relays", 0, "fingerprint"), lambda f: f[1:]),
    "a fingerprint twice": (("relays", 0), lambda relay: {**relay, "fingerprint": "F" * 40}),
    "another version": (("version",), lambda _: 2),
    "a field too many": (("extra",), lambda _: 1),
    "too many relays": (("relays",), lambda _: [{"fingerprint": f"{i:040d}"} for i in range(300)]),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_list_that_could_put_anything_else_into_a_torrc_is_refused(network, tmp_path, wrong):
    path, change = WRONG[wrong]
    value = body = network_body(network)
    for step in path:
        value = None if step == "extra" else value[step]
    bad = changed(body, path, change(value))
    if wrong == "a fingerprint twice":
        bad["relays"][1]["fingerprint"] = "F" * 40
    with pytest.raises(EncodingError, match="no relay list"):
        read_directory(bad)
    with pytest.raises(OnionError, match="version 5 of the ledger's relay list cannot be used"):
        write_torrc(tmp_path / "home", RecordedList(5, canonical(bad)))
    with pytest.raises(OnionError):
        write_torrc(tmp_path / "home", RecordedList(5, b"[" * 1000))
    assert not (tmp_path / "home").exists()


def test_a_network_that_is_not_the_ledgers_is_refused(network):
    body = network_body(network)
    for node in network.layout.nodes:
        node.torrc.write_text(torrc(node, network.authorities, None))
    check_network(network, RecordedList(1, canonical(body)))
    fewer = changed(body, ("relays", 2), None)
    with pytest.raises(OnionError, match="1 of its nodes are not on the list, and 0"):
        check_network(network, RecordedList(2, canonical(fewer)))
    node = network.layout.of(Role.WALLET)[0]
    node.torrc.write_text(torrc(node, network.authorities[:2], None))
    with pytest.raises(OnionError, match="other authorities"):
        check_network(network, RecordedList(1, canonical(body)))
