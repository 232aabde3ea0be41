"""Private statements over HTTP on the specification's ledger: booked once, restored, settled, refused with reasons."""

from dataclasses import replace

import pytest

pytest.importorskip("fastapi", reason="pip install 'petra[service]'")

from assets.commitments.codec import publication_bytes, read_publication
from assets.commitments.errors import BadStatement
from assets.commitments.groups import GROUPS
from assets.intervals import IntervalGrid
from assets.keys import Address, ThrowAwayKeys
from assets.ledger import SpecLedger
from assets.notes import fa
from assets.transactions import Authorisation, Domain, FeederCapacity, PriceChange, Regulate, Settlement, Withdraw, sign
from dso.service.app import Role, create_app, token_hash
from dso.service.intake import Intake
from dso.service.private_intake import PrivateIntake, PublicationStore
from dso.service.store import StatementStore
from dso.settlement import settlements_due
from smartmeter.billing import bill_interval
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import CommitmentBook
from smartmeter.commitments.committer import Committer
from smartmeter.commitments.price_guard import PriceGuard

DOMAIN, GRID, GATE_S = Domain(1, Address(bytes(19) + b"\x01")), IntervalGrid(1_000_000, 3600), 600
DSO, METER, OWNER = (ThrowAwayKeys(1, f"private intake {i}").fresh() for i in range(3))
GROUP = GROUPS["secp256k1"]
CREDIT_NANO = 1000
METER_TOKEN, OPERATOR_TOKEN = {"Authorization": "Bearer m"}, {"Authorization": "Bearer o"}


class World:
    def __init__(self, folder):
        self.folder = folder
        self.ledger = SpecLedger(DOMAIN, GRID, DSO.address, time_s=GRID.genesis_s - 100)
        grant = Authorisation(7, METER.address, 1, 0, 0, CREDIT_NANO)
        self.regulate(Regulate(0, feeders=(FeederCapacity(1, 0, 0),), authorise=(grant,)))
        self.regulate(Regulate(0, prices=(PriceChange(GRID.genesis_s, 240_000, 90_000),)))
        secret = BlindingSecret(bytes(32), DOMAIN, GROUP, 7)
        self.book = CommitmentBook(":memory:", 7, DOMAIN.separator, GROUP.name)
        self.committer = Committer(7, METER, secret, DOMAIN, GROUP, self.book, PriceGuard(1))
        self.open()

    def regulate(self, tx):
        self.ledger.submit([sign(DOMAIN, replace(tx, nonce=self.ledger.regulation_nonce()), DSO)])[0].require()

    def withdraw(self, window):
        tx = Withdraw(7, self.ledger.meter_nonce(7), window, (fa(OWNER.address, CREDIT_NANO),))
        return self.ledger.submit([sign(DOMAIN, tx, METER)])[0]

    def open(self):
        self.store = PublicationStore(self.folder / "private.db")
        self.plain = StatementStore(self.folder / "bills.db")
        self.private = PrivateIntake(self.ledger, self.store, GATE_S)
        tokens = {token_hash("m"): Role.METER, token_hash("o"): Role.OPERATOR}
        from starlette.testclient import TestClient

        self.client = TestClient(create_app(Intake(self.ledger, self.plain, GATE_S), tokens, self.private))

    def close(self):
        self.client.close()
        self.store.close()
        self.plain.close()

    def publication(self, residuals_wh, first=0, withdrawn_nano=CREDIT_NANO):
        bills = [
            bill_interval(
                meter=7,
                t=first + i,
                measured_wh=wh,
                fa_withdrawn_nano=withdrawn_nano if i == 0 else 0,
                consumption_nano_per_wh=240_000,
                production_nano_per_wh=90_000,
            )
            for i, wh in enumerate(residuals_wh)
        ]
        self.committer.commit(bills)
        made = self.committer.state(first, bills[-1].t)
        return publication_bytes(GROUP, made.sheets, made.statement)

    def post(self, body):
        return self.client.post("/private-statements", content=body, headers=METER_TOKEN)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.withdraw(0).require()
    made.ledger.advance_to(GRID.end_s(3) + GATE_S)
    yield made
    made.book.close()
    made.close()


def test_a_private_statement_is_booked_once_survives_a_restart_and_a_change_of_keys(world):
    body = world.publication([300, -120, 0, 77])
    assert world.post(body).json() == {"status": "booked"}
    world.regulate(Regulate(0, authorise=(Authorisation(7, OWNER.address, 1, 0, 0, CREDIT_NANO),)))
    world.close()
    world.open()
    assert world.post(body).json() == {"status": "booked before"}
    (row,) = world.client.get("/private-statements", headers=OPERATOR_TOKEN).json()
    assert (row["meter"], row["bill_nano"]) == (7, CREDIT_NANO + 377 * 240_000 - 120 * 90_000)
    faults = world.client.get("/faults?first=0&last=3", headers=OPERATOR_TOKEN).json()
    assert faults["missing"] == []
    assert 'petra_dso_statements_stored{kind="private"} 1.0' in world.client.get("/metrics").text


def test_what_came_too_early_is_booked_later_and_survives_a_restart(world):
    first, second = world.publication([10] * 4), world.publication([10] * 4, first=4, withdrawn_nano=0)
    assert world.post(second).status_code == 422
    assert world.post(first).json() == {"status": "booked"}
    world.ledger.advance_to(GRID.end_s(7) + GATE_S)
    assert world.post(second).json() == {"status": "booked"}
    world.close()
    world.open()
    assert [(s.first, s.nonce) for s in world.private.statements()] == [(0, 0), (4, 1)]
    assert world.private.faults()["implausible"] == []


def test_settling_the_period_on_the_ledger_frees_the_credit_and_is_never_due_twice(world):
    assert not world.withdraw(9).accepted  # the credit limit is used up
    world.post(world.publication([10, 10, 10, 10]))
    billed = [(s.meter, s.fa_withdrawn_nano) for s in world.private.statements()]
    due = settlements_due(world.ledger.entries(), billed)
    assert due == (Settlement(7, CREDIT_NANO),)
    assert settlements_due(world.ledger.entries(), billed, [8]) == ()
    world.regulate(Regulate(0, settle=due))
    assert world.withdraw(9).accepted
    assert settlements_due(world.ledger.entries(), billed) == ()


def test_what_does_not_verify_is_refused_by_its_field_and_the_meter_is_listed(world):
    body = world.publication([10, 10, 10, 10], withdrawn_nano=CREDIT_NANO - 1)
    refused = world.post(body)
    assert refused.status_code == 422
    assert "fa_withdrawn_nano" in refused.json()["detail"]
    world.close()
    world.open()
    faults = world.client.get("/faults?first=0&last=3", headers=OPERATOR_TOKEN).json()
    assert (faults["missing"], faults["implausible"]) == ([7], [7])


def test_strangers_leave_no_trace_and_garbage_is_refused_in_a_sentence(world):
    group, sheets, signed = read_publication(world.publication([1, 2, 3, 4]))
    forged = publication_bytes(group, sheets, replace(signed, signature=bytes(65)))
    with pytest.raises(BadStatement, match="signature"):
        world.private.receive(forged)
    assert list(world.store.all()) == []
    for body, status in ((b"{}\n", 422), (b"", 422), (b"x" * 16_000_001, 413)):
        assert world.post(body).status_code == status
    assert world.client.post("/private-statements", content=b"{}\n").status_code == 401


def test_who_changes_anothers_publication_puts_no_blame_on_its_meter(world):
    body = world.publication([1, 2, 3, 4])
    group, sheets, signed = read_publication(body)
    (sheet,) = sheets
    point = bytes(64)
    spoilt = replace(sheet, sheet=replace(sheet.sheet, points=point + sheet.sheet.points[64:]))
    for changed in ((spoilt,), (replace(sheet, signature=bytes(65)),), ()):
        assert world.post(publication_bytes(group, changed, signed)).status_code == 422
    assert list(world.store.all()) == []
    assert world.post(body).json() == {"status": "booked"}
    for changed in ((spoilt,), (sheet, sheet), ()):
        assert world.post(publication_bytes(group, changed, signed)).json() == {"status": "booked before"}
    faults = world.client.get("/faults?first=0&last=3", headers=OPERATOR_TOKEN).json()
    assert [faults[fault] for fault in ("missing", "contradictory", "implausible")] == [[], [], []]


def test_a_period_is_stated_in_one_way_only(world):
    from assets.statement import Statement, sign_statement
    from dso.service.app import encode

    plain = encode(sign_statement(DOMAIN, Statement(7, 0, 0, 3, 40, 0, CREDIT_NANO, 0, CREDIT_NANO + 9_600_000), METER))
    assert world.post(world.publication([10, 10, 10, 10])).status_code == 200
    assert world.client.post("/statements", json=plain, headers=METER_TOKEN).status_code == 409
