"""What the service does when ledger, disk or chance fail, and what its metrics and its dashboard say."""

import json
import re
import sqlite3
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="pip install 'petra[service]'")

from assets.ledger import SpecLedger
from assets.statement import Statement, sign_statement
from assets.transactions import Regulate
from contracts.errors import NodeUnreachable, Reorganised
from dso.accounts import StatementRefused
from dso.service.app import encode
from dso.service.intake import Intake
from dso.service.private_intake import PrivateIntake
from dso.service.store import StatementStore

sys.path.insert(0, str(Path(__file__).parent))
import served
from test_private_intake import CREDIT_NANO, DOMAIN, METER, METER_TOKEN, OPERATOR_TOKEN, world

__all__ = ["world"]
DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana" / "dso.json"


def plain():
    bill_nano = CREDIT_NANO + 40 * 240_000
    return encode(sign_statement(DOMAIN, Statement(7, 0, 0, 3, 40, 0, CREDIT_NANO, 0, bill_nano), METER))


def served_statement(meter, nonce):
    return sign_statement(
        served.DOMAIN, Statement(meter, nonce, nonce, nonce, 1, 0, 0, 0, 200), served.meter_key(meter)
    )


def deliver(world):
    return world.client.post("/statements", json=plain(), headers=METER_TOKEN)


def metrics(world):
    lines = [line for line in world.client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_query_of_the_dashboard_names_a_metric_of_the_service(world):
    assert deliver(world).status_code == 200
    known = {re.match(r"\w+", name)[0] for name in metrics(world)}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = {name for query in queries for name in re.findall(r"petra_\w+", query)}
    assert asked <= known
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"]) == 9
    assert {name for name in known if name.startswith("petra_") and not name.endswith("_created")} <= asked


def test_metrics_show_what_is_in_force_and_name_no_meter(world):
    assert deliver(world).status_code == 200
    world.regulate(Regulate(0, ban=(7,)))
    found = metrics(world)
    assert found['petra_dso_statements_stored{kind="plain"}'] == 1
    assert not {1000 + 40 * 240_000, 40} & set(found.values())  # two scrapes would tell a home's bill
    assert (found['petra_dso_meters{standing="authorised"}'], found['petra_dso_meters{standing="banned"}']) == (0, 1)
    assert found['petra_dso_price_nano_per_wh{price="consumption"}'] == 240_000
    assert found['petra_dso_feeder_capacity_watts{direction="import",feeder="1"}'] == 0
    assert found["petra_dso_regulations"] == 3
    assert not [name for name in found if "meter=" in name]


@pytest.mark.parametrize("failure", [NodeUnreachable("nothing answers"), Reorganised(1)])
def test_while_the_node_fails_nothing_is_acknowledged_and_the_next_delivery_is_new(world, monkeypatch, failure):
    def entries(_self, _start=0):
        monkeypatch.undo()
        raise failure

    monkeypatch.setattr(SpecLedger, "entries", entries)
    refused = deliver(world)
    assert refused.status_code == 503
    assert "deliver again" in refused.json()["detail"]
    assert deliver(world).json() == {"status": "booked"}


def test_what_a_dying_node_kept_off_the_disk_is_not_said_to_be_booked_before(tmp_path, monkeypatch):
    intake = served.intake(tmp_path / "bills.db")
    assert intake.receive(served_statement(0, 0))

    def dies(*_):
        monkeypatch.setattr(SpecLedger, "now_s", property(dies))
        raise NodeUnreachable("nothing answers")

    monkeypatch.setattr(StatementStore, "book", dies)
    with pytest.raises(NodeUnreachable):
        intake.receive(served_statement(0, 1))
    monkeypatch.undo()
    assert intake.receive(served_statement(0, 1))
    assert intake.stored() == 2
    intake._store.close()


def test_a_statement_refused_again_and_again_is_evidence_once(tmp_path):
    intake = served.intake(tmp_path / "bills.db")
    for _ in range(3):
        with pytest.raises(StatementRefused):
            intake.receive(served_statement(0, 5))
    assert len(list(intake._store.refused())) == 1
    intake._store.close()


def test_a_private_book_that_could_not_be_read_anew_forgets_no_period(world, monkeypatch):
    assert world.post(world.publication([10, 10, 10, 10])).status_code == 200

    def nobody(_):
        raise NodeUnreachable("nothing answers")

    monkeypatch.setattr(SpecLedger, "now_s", property(nobody))
    with suppress(NodeUnreachable):
        world.private.reload()
    monkeypatch.undo()
    assert deliver(world).status_code == 409


def test_metrics_are_there_while_the_node_is_not(world, monkeypatch):
    def nobody(_self):
        raise NodeUnreachable("nothing answers")

    assert metrics(world)["petra_dso_ledger_up"] == 1
    monkeypatch.setattr(SpecLedger, "now_s", property(nobody))
    assert metrics(world)["petra_dso_ledger_up"] == 0


def test_a_full_disk_is_no_acknowledgement(world, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(StatementStore, "book", full)
    assert deliver(world).status_code == 503
    monkeypatch.undo()
    assert deliver(world).json() == {"status": "booked"}


def test_a_period_delivered_in_both_ways_at_once_is_booked_in_one(world, monkeypatch):
    for book in (PrivateIntake, Intake):
        known = book.covers

        def slowly(self, *args, known=known):
            found = known(self, *args)
            time.sleep(0.2)
            return found

        monkeypatch.setattr(book, "covers", slowly)
    body, codes = world.publication([10, 10, 10, 10]), []
    senders = [
        threading.Thread(target=lambda: codes.append(deliver(world).status_code)),
        threading.Thread(target=lambda: codes.append(world.post(body).status_code)),
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sorted(codes) in ([200, 409], [200, 422])


def test_a_period_that_ends_before_it_starts_is_refused(world):
    refused = world.client.get("/faults?first=5&last=1", headers=OPERATOR_TOKEN)
    assert (refused.status_code, refused.json()["detail"][:17]) == (422, "the period 5..1 e")


@pytest.mark.parametrize("path", ["/statements", "/reconciliation?first=0&last=0"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 50_000, 422),  # where the recursion limit was raised, it crashes the interpreter
        (('["\u2200",' + "[" * 25_000).encode("utf-16"), 422),  # a quote in the middle of a letter
        (b" " * 70_000, 413),
    ],
)
def test_a_body_that_would_crash_the_json_parser_never_reaches_it_whoever_sent_it(world, path, body, status):
    answer = world.client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["detail"][:6]) in {(422, "the bo"), (413, "a body")}
    assert answer.status_code == status


@pytest.mark.parametrize("value", ["NaN", "1e400", "[]", "1.5"])
def test_numbers_that_are_none_are_refused_in_a_sentence(world, value):
    headers = {**OPERATOR_TOKEN, "Content-Type": "application/json"}
    refused = world.client.post("/reconciliation?first=0&last=0", content=f'{{"1": {value}}}', headers=headers)
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("body.1: Input should be ")


def test_openapi_says_how_to_authorise(world):
    description = world.client.get("/openapi.json").json()
    assert description["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert description["paths"]["/statements"]["post"]["security"] == [{"HTTPBearer": []}]
    assert "security" not in description["paths"]["/health"]["get"]
