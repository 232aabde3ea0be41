import os

import pytest

from assets.errors import EncodingError
from assets.keys import SigningKey
from petra.onion.errors import OnionError
from petra.onion.keyfiles import kept_key, kept_secret
from petra.onion.layout import Authority, Layout, Role, torrc
from petra.onion.network import Network, load, up
from petra.onion.ports import HIGHEST, LOWEST, free_ports
from petra.onion.relays import publish_relays, read_relays

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
