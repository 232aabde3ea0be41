"""The desk on the executable specification of the ledger."""

import json
from dataclasses import replace

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from assets.errors import LogTampered, MeterBanned
from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import fa
from assets.rules.state import Standing
from assets.transactions import Authorisation, Domain, FeederCapacity, PriceChange, Regulate, Withdraw, sign
from dso.desk import keystore
from dso.desk.approvals import NotApproved, Policy, approve
from dso.desk.desk import Desk, KeySigner
from dso.desk.enrolment import read_enrolment
from dso.desk.keystore import create_key, open_desk_keys, open_key
from dso.desk.log import ActionLog

DOMAIN = Domain(1, Address(bytes(19) + b"\x01"))
DSO, A, B, C, STRANGER, METER = [ThrowAwayKeys(1, "desk").fresh() for _ in range(1)] + [
    ThrowAwayKeys(1, f"desk {i}").fresh() for i in range(5)
]
GRANT = Authorisation(3, METER.address, 1, 1000, 1000, 500)
ENROL = Regulate(0, feeders=(FeederCapacity(1, 1000, 1000),), authorise=(GRANT,))


@pytest.fixture
def desk(tmp_path):
    ledger = SpecLedger(DOMAIN, IntervalGrid(1_000_000, 3600), DSO.address)
    policy = Policy(2, (A.address, B.address, C.address))
    return Desk(ledger, ActionLog(tmp_path / "actions.jsonl"), policy)


def release(desk, tx, *approvers):
    tx = desk.propose(tx)
    return desk.release(tx, KeySigner(DSO), [approve(DOMAIN, tx, key) for key in approvers])


@pytest.mark.parametrize("approvers", [(), (A,), (A, A), (A, STRANGER), (STRANGER, DSO)])
def test_an_unapproved_regulatory_transaction_does_not_exist(desk, approvers):
    with pytest.raises(NotApproved, match="of 2 approvals"):
        release(desk, ENROL, *approvers)
    assert desk.ledger.entries() == []
    assert desk.log.actions == []


def test_approvals_are_good_for_one_transaction_only(desk):
    tx = desk.propose(ENROL)
    given = [approve(DOMAIN, tx, key) for key in (A, C)]
    with pytest.raises(NotApproved):
        desk.release(replace(tx, authorise=(replace(GRANT, max_epa_w=9000),)), KeySigner(DSO), given)
    assert desk.release(tx, KeySigner(DSO), given).accepted


def test_a_removed_meter_issues_nothing_more_until_it_is_installed_again(desk):
    release(desk, ENROL, A, B).require()

    def withdraw():
        tx = Withdraw(3, desk.ledger.meter_nonce(3), 0, (fa(STRANGER.address, 1),))
        return desk.ledger.submit([sign(DOMAIN, tx, METER)])[0]

    withdraw().require()
    release(desk, Regulate(0, ban=(3,)), A, B).require()
    assert withdraw().refusal == MeterBanned(3)
    assert desk.meters() == {3: Standing(GRANT, banned=True)}
    release(desk, ENROL, B, C).require()
    withdraw().require()


def test_prices_in_the_past_are_refused_and_the_log_has_the_verdict(desk):
    receipt = release(desk, Regulate(0, prices=(PriceChange(999_999, 2, 1),)), A, B)
    assert not receipt.accepted
    assert desk.log.actions[-1]["verdict"].startswith("refused: ")
    tx = desk.propose(ENROL)
    given = [approve(DOMAIN, tx, key) for key in (A, B)]
    with pytest.raises(ValueError, match="not the DSO's"):
        desk.release(tx, KeySigner(STRANGER), given)


def test_the_log_is_read_back_and_a_changed_byte_is_found(desk, tmp_path):
    release(desk, ENROL, A, B)
    path = tmp_path / "actions.jsonl"
    again = ActionLog(path)
    assert (again.actions, again.head) == (desk.log.actions, desk.log.head)
    path.write_bytes(path.read_bytes().replace(b'"approvals":2', b'"approvals":3'))
    with pytest.raises(LogTampered):
        ActionLog(path)


def test_two_processes_append_to_one_log(tmp_path):
    path = tmp_path / "actions.jsonl"
    one, other = ActionLog(path), ActionLog(path)
    for i in range(3):
        one.append("guard", i)
        other.append("price", i)
    assert [action["action"] for action in ActionLog(path).actions] == ["guard", "price"] * 3
    assert ActionLog(path).head == other.head


@given(cut=st.integers(1, 60))
def test_a_line_cut_off_while_it_was_written_is_set_aside_and_the_log_goes_on(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("torn") / "actions.jsonl"
    log = ActionLog(path)
    log.append("init", 1)
    log.append("guard", 2)
    path.write_bytes(path.read_bytes()[:-cut])
    assert [action["action"] for action in ActionLog(path).actions] == ["init"]
    torn = path.read_bytes().splitlines()[1]
    ActionLog(path).append("price", 3)
    assert [action["action"] for action in ActionLog(path).actions] == ["init", "price"]
    assert path.with_suffix(".torn").read_bytes() == torn + b"\n"


def test_policies_that_can_never_be_met_are_refused():
    for required, approvers in ((2, (A.address,)), (1, (A.address, A.address)), (-1, ())):
        with pytest.raises(ValueError, match=r"never be collected|named once"):
            Policy(required, approvers)


def test_the_zero_address_approves_nothing():
    with pytest.raises(ValueError, match="zero address"):
        Policy(1, (Address(bytes(20)),))


def test_a_keystore_is_private_opens_with_its_passphrase_only_and_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    path = tmp_path / "dso.json"
    key = create_key(path, "correct horse")
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_key(path, "correct horse").address == key.address
    with pytest.raises(ValueError, match="not its passphrase"):
        open_key(path, "wrong horse")
    with pytest.raises(FileExistsError):
        create_key(path, "correct horse")
    with pytest.raises(ValueError, match="at least 8"):
        create_key(tmp_path / "b", "short")


HEADER = "meter,key,feeder,max_epa_w,max_eca_w,credit_nano\n"
ROW = f"3,0x{METER.address.hex()},1,1000,1000,500\n"


def test_an_enrolment_is_read_whole_or_refused_with_every_bad_line():
    assert read_enrolment([HEADER, ROW]) == (GRANT,)
    with pytest.raises(ValueError, match=r"line 3: meter 3 is there twice; line 4: the key .*; line 5: 2 columns"):
        read_enrolment([HEADER, ROW, ROW, "4,0x12,1,1,1,1\n", "5,1\n"])
    for bad in ([], ["x\n"], [HEADER], [HEADER, ROW.replace("500", "-1")]):
        with pytest.raises(ValueError, match=r"first line|no meters|whole number"):
            read_enrolment(bad)


def test_a_rotation_hands_over_to_a_key_that_signs_as_well_and_is_finished_after_a_crash(desk, tmp_path, monkeypatch):
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    following = create_key(tmp_path / "dso-next.json", "correct horse")
    (tmp_path / "dso.json").write_text(json.dumps(Account.encrypt(DSO._key.secret, "correct horse", iterations=2)))
    key, successor = open_desk_keys(tmp_path, "correct horse", desk.ledger.dso)
    tx = desk.propose(Regulate(0, successor=following.address))
    given = [approve(DOMAIN, tx, k) for k in (A, B)]
    with pytest.raises(ValueError, match="successor signs as well"):
        desk.release(tx, KeySigner(key), given)
    desk.release(tx, KeySigner(key, successor), given).require()
    assert desk.ledger.dso == following.address
    # Killed here: the ledger knows the successor, and the desk's keystore is the old one.
    key, successor = open_desk_keys(tmp_path, "correct horse", desk.ledger.dso)
    assert (key.address, successor) == (following.address, None)
    assert open_key(tmp_path / "dso.json", "correct horse").address == following.address
    assert open_key(tmp_path / "dso-retired-0.json", "correct horse").address == DSO.address
    with pytest.raises(ValueError, match="not the DSO's"):
        release(desk, ENROL, A, B)


def test_a_rotation_killed_between_its_two_renames_is_finished_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    create_key(tmp_path / "dso-retired-0.json", "correct horse")
    following = create_key(tmp_path / "dso-next.json", "correct horse")
    key, successor = open_desk_keys(tmp_path, "correct horse", following.address)
    assert (key.address, successor) == (following.address, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dso-retired-0.json", "dso.json"]


def test_a_keystore_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(keystore.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        create_key(tmp_path / "dso-next.json", "correct horse")
    monkeypatch.undo()
    assert not (tmp_path / "dso-next.json").exists()
    assert create_key(tmp_path / "dso-next.json", "correct horse") is not None


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "no JSON"])
def test_what_is_no_keystore_is_refused(tmp_path, text):
    (tmp_path / "dso.json").write_text(text)
    with pytest.raises(ValueError, match="no keystore"):
        open_key(tmp_path / "dso.json", "correct horse")
