"""Statements of finished periods: in order, once, the same however often the process is killed."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.keys import SigningKey
from assets.statement import SignedStatement
from assets.transactions import Domain
from dso.service.app import decode
from smartmeter.billing import BillingRecord, bill_interval
from smartmeter.book import Book, BookError
from smartmeter.reporting import HttpDelivery, NotAcknowledged, Reporter, json_of

KEY = SigningKey(b"\x07" * 32)
DOMAIN = Domain(5, KEY.address)
METER = 3


def bill(t: int, measured_wh: int = 100) -> BillingRecord:
    return bill_interval(
        meter=METER,
        t=t,
        measured_wh=measured_wh,
        epa_withdrawn_wh=0,
        epa_deposited_wh=0,
        eca_withdrawn_wh=0,
        eca_deposited_wh=0,
        fa_withdrawn_nano=10,
        fa_deposited_nano=4,
        consumption_nano_per_wh=240,
        production_nano_per_wh=90,
        quality=0,
        flags=0,
    )


class Dso:
    """Books what it gets in order, or does not answer."""

    def __init__(self) -> None:
        self.booked: list[SignedStatement] = []
        self.away = self.silent = False

    def __call__(self, signed: SignedStatement) -> None:
        if self.away:
            raise NotAcknowledged("away")
        if signed not in self.booked:
            assert signed.statement.nonce == len(self.booked)
            assert signed.signer(DOMAIN) == KEY.address
            self.booked.append(signed)
        if self.silent:
            raise NotAcknowledged("the answer got lost")


def home(path: Path, dso: Dso, every: int) -> tuple[Book, Reporter]:
    """As after ``kill -9``: only the file is left."""
    book = Book(path, METER, DOMAIN)
    return book, Reporter(book, METER, KEY, every, dso)


def periods(dso: Dso) -> list[tuple[int, int]]:
    return [(s.statement.first, s.statement.last) for s in dso.booked]


def test_a_period_is_stated_when_all_its_bills_are_made(tmp_path: Path) -> None:
    dso = Dso()
    book, reporter = home(tmp_path / "book.db", dso, 4)
    assert reporter.step() == 0
    for t in range(2, 9):  # the meter began in the middle of a period
        book.add_bill(bill(t, 100 if t % 2 else -50), 0)
        reporter.step()
    assert periods(dso) == [(2, 3), (4, 7)]
    s = dso.booked[1].statement
    assert (s.meter, s.nonce, s.import_wh, s.export_wh, s.fa_withdrawn_nano) == (METER, 1, 200, 100, 40)
    assert s.bill_nano == 2 * 100 * 240 - 2 * 50 * 90 + 4 * (10 - 4)
    assert book.statement_count(acknowledged_only=True) == 2


def test_what_was_stated_privately_is_not_stated_again(tmp_path: Path) -> None:
    dso = Dso()
    book, reporter = home(tmp_path / "book.db", dso, 4)
    for t in range(16):
        book.add_bill(bill(t), 0)
    book.state_period(6, 9, "private on secp256k1")
    assert reporter.step() == 4
    assert periods(dso) == [(0, 3), (4, 5), (10, 11), (12, 15)]
    with pytest.raises(BookError, match="stated as plain already"):
        book.state_period(0, 3, "private on secp256k1")


@given(st.lists(st.sampled_from(["bill", "step", "kill", "away", "silent", "back"]), max_size=40), st.integers(1, 5))
def test_however_often_it_is_killed_and_whoever_is_away_each_interval_is_stated_once(
    tmp_path_factory: pytest.TempPathFactory, script: list[str], every: int
) -> None:
    path, dso, t = tmp_path_factory.mktemp("meter") / "book.db", Dso(), 0
    book, reporter = home(path, dso, every)
    for act in script:
        if act == "bill":
            book.add_bill(bill(t), 0)
            t += 1
        elif act == "kill":
            book.close()
            book, reporter = home(path, dso, every)
        elif act in ("away", "silent", "back"):
            dso.away, dso.silent = act == "away", act == "silent"
        else:
            try:
                reporter.step()
            except NotAcknowledged:
                continue
    dso.away = dso.silent = False
    reporter.step()
    stated = [i for first, last in periods(dso) for i in range(first, last + 1)]
    assert stated == list(range(t // every * every))
    book.close()


@pytest.fixture
def service():
    """A DSO's service that answers what the test says; what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.asked.append((self.path, self.headers["Authorization"], json.loads(body)))
            status, answer = server.answers.pop(0)
            self.send_response(status)
            if status == 307:
                self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Keeps the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.answers = [], []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def signed_statement(tmp_path: Path) -> SignedStatement:
    dso = Dso()
    book, reporter = home(tmp_path / "book.db", dso, 1)
    book.add_bill(bill(0), 0)
    reporter.step()
    return dso.booked[0]


def test_a_delivery_is_what_the_dso_takes_in_and_only_its_word_counts(service, tmp_path: Path) -> None:
    signed, token = signed_statement(tmp_path), tmp_path / "token"
    deliver = HttpDelivery(f"http://127.0.0.1:{service.server_port}/", token)
    with pytest.raises(NotAcknowledged, match="cannot be read"):
        deliver(signed)
    token.write_text("\n")
    with pytest.raises(NotAcknowledged, match="holds no token"):
        deliver(signed)
    token.write_text("abc\n")
    service.answers = [
        (200, b'{"status": "booked"}'),
        (200, b'{"status": "booked before"}'),
        (200, b"hello"),
        (200, b"[" * 10_000),
        (307, b""),
        (409, b'{"detail": "contradictory"}'),
        (503, b"busy"),
    ]
    deliver(signed)
    deliver(signed)
    for says in ("no DSO's service", "no DSO's service", "307", "contradictory", "503"):
        with pytest.raises(NotAcknowledged, match=says):
            deliver(signed)
    assert {(path, token) for path, token, _ in service.asked} == {("/statements", "Bearer abc")}
    assert decode(service.asked[0][2]) == signed
    assert service.asked[0][2] == json_of(signed)
    nobody = HttpDelivery("http://127.0.0.1:1", token)
    with pytest.raises(NotAcknowledged, match="does not answer"):
        nobody(signed)


def test_a_statement_that_was_changed_is_not_the_meters(tmp_path: Path) -> None:
    signed = signed_statement(tmp_path)
    forged = replace(signed, statement=replace(signed.statement, bill_nano=0))
    assert forged.signer(DOMAIN) != KEY.address
