"""Intake of statements by the real service process, killed while it works; roles, reports."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="pip install 'petra[service]'")

from assets.statement import Statement, sign_statement
from dso.accounts import Reason, StatementRefused
from dso.service.app import decode, encode
from dso.service.store import StatementStore

sys.path.insert(0, str(Path(__file__).parent))
import served


def statement(meter, nonce, import_wh=10, bill_nano=None):
    s = Statement(meter, nonce, nonce, nonce, import_wh, 0, 0, 0, import_wh * 200 if bill_nano is None else bill_nano)
    return sign_statement(served.DOMAIN, s, served.meter_key(meter))


def call(url, token, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
        return answer.read().decode()


def start(store):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("served.py")), str(store), str(port)],
        env={**os.environ, "PYTHONPATH": root},
    )
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        assert process.poll() is None
        try:
            call(f"{url}/health", "")
        except OSError:
            time.sleep(0.05)
        else:
            return process, url
    raise AssertionError("the service did not answer")


def stop(process, how=signal.SIGTERM):
    process.send_signal(how)
    process.wait(timeout=20)


def test_every_statement_acknowledged_before_a_kill_is_there_once_and_repeating_the_others_is_safe(tmp_path):
    store, acknowledged = tmp_path / "bills.db", set()
    process, url = start(store)

    def deliver(meter):
        for nonce in range(1500):
            try:
                call(f"{url}/statements", "meter-token", encode(statement(meter, nonce)))
            except (OSError, http.client.HTTPException):  # killed in the middle of an answer
                return
            acknowledged.add((meter, nonce))

    senders = [threading.Thread(target=deliver, args=(m,)) for m in range(served.METERS)]
    for sender in senders:
        sender.start()
    while len(acknowledged) < 30:
        time.sleep(0.01)
    stop(process, signal.SIGKILL)
    for sender in senders:
        sender.join()
    process, url = start(store)
    try:
        booked = [(s["meter"], s["nonce"]) for s in json.loads(call(f"{url}/statements", "operator-token"))]
        assert len(booked) == len(set(booked)) < 4500
        assert acknowledged <= set(booked)
        meter, nonce = booked[-1]
        assert "booked before" in call(f"{url}/statements", "meter-token", encode(statement(meter, nonce)))
        again = json.loads(call(f"{url}/statements", "operator-token"))
        assert len(again) == len(booked)
    finally:
        stop(process)


def test_roles_reports_and_metrics(tmp_path):
    process, url = start(tmp_path / "bills.db")
    try:
        for token, path, status in (("", "/statements", 401), ("meter-token", "/statements", 403)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                call(url + path, token)
            assert refused.value.code == status
            refused.value.close()
        call(f"{url}/statements", "meter-token", encode(statement(0, 0)))
        for body, status in (
            (encode(statement(0, 0, 11)), 409),
            (encode(statement(1, 0, 10, 5)), 422),
            ({"meter": 1}, 422),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                call(f"{url}/statements", "meter-token", body)
            assert refused.value.code == status
            refused.value.close()
        faults = json.loads(call(f"{url}/faults?first=0&last=0", "operator-token"))
        assert faults == {"missing": [1, 2], "late": [0], "contradictory": [0], "implausible": [1]}
        found = json.loads(call(f"{url}/reconciliation?first=0&last=0", "operator-token", {"1": 10}))
        assert (found["paid_nano"], found["balanced"]) == (2000, False)
        assert call(f"{url}/statements.csv", "operator-token").splitlines()[1] == "0,0,0,0,10,0,0,0,2000"
        assert 'petra_dso_statements_total{verdict="booked"} 1.0' in call(f"{url}/metrics", "")
        assert "/statements" in json.loads(call(f"{url}/openapi.json", ""))["paths"]
    finally:
        stop(process)


def test_when_the_disk_refuses_nothing_is_acknowledged_and_the_next_attempt_is_new(tmp_path, monkeypatch):
    intake = served.intake(tmp_path / "bills.db")
    monkeypatch.setattr(StatementStore, "book", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        intake.receive(statement(0, 0))
    monkeypatch.undo()
    assert intake.receive(statement(0, 0))
    assert not intake.receive(statement(0, 0))
    with pytest.raises(StatementRefused) as refused:
        intake.receive(statement(0, 5))
    assert refused.value.reason is Reason.OUT_OF_ORDER
    intake._store.close()


def test_statements_are_decoded_strictly():
    good = encode(statement(0, 0))
    assert decode(good) == statement(0, 0)
    for bad in ({**good, "x": 1}, {**good, "meter": "0"}, {**good, "nonce": True}, {**good, "signature": "0x12"},
                {**good, "signature": "0x" + " " * 130}, {**good, "signature": "0x" + "zz" * 65}):  # fmt: skip
        with pytest.raises(ValueError, match=r"statement|signature"):
            decode(bad)
