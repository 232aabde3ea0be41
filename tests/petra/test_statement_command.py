"""Private statements of a whole run: from the command line, and at the DSO's desk against the run's own bills."""

import json
import stat
from dataclasses import replace

import pytest
from eth_account import Account
from typer.testing import CliRunner

from assets.commitments.codec import openings_bytes, publication_bytes, read_openings, read_publication
from assets.commitments.errors import BadStatement
from assets.commitments.groups import SECP256K1
from assets.commitments.sheet import sign_sheet
from assets.errors import EncodingError
from dso.private_statements import PrivateStatements
from petra.cli import app
from smartmeter.billing import bill_interval, to_json
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import CommitmentBook
from smartmeter.commitments.committer import Committer
from smartmeter.commitments.price_guard import PriceGuard

HOME = 3


def run(*args):
    return CliRunner().invoke(app, ["statement", *map(str, args)])


def key_of(small_run, home):
    return next(h.meter._key for h in small_run.grid.homes if h.number == home)


@pytest.fixture(scope="module")
def keystore(small_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    secret = key_of(small_run, HOME)._key.secret
    (folder / "meter.json").write_text(json.dumps(Account.encrypt(secret, "pass", kdf="pbkdf2", iterations=2)))
    (folder / "password").write_text("pass\n")
    return folder


@pytest.fixture
def paths(small_run_dir, keystore, tmp_path):
    return {
        "billing": small_run_dir / "billing.jsonl",
        "ledger": small_run_dir / "ledger.jsonl",
        "keystore": keystore / "meter.json",
        "password-file": keystore / "password",
        "state": tmp_path / "state",
        "out": tmp_path / "statement.json",
        "openings": tmp_path / "openings.json",
        "meter": HOME,
        "min-intervals": 1,
    }


def make(paths, **changed):
    given = {**paths, **changed}
    return run("make", *[part for name, value in given.items() for part in (f"--{name}", value)])


def verify(paths):
    return run("verify", paths["out"], "--ledger", paths["ledger"])


@pytest.mark.parametrize("group", ["secp256k1", "alt_bn128"])
def test_a_meter_states_the_dso_verifies_and_a_judge_sees_one_interval(paths, small_run, group):
    made = make(paths, group=group)
    assert made.exit_code == 0, made.output
    bill_nano = sum(record.bill_nano for record in small_run.bills if record.meter == HOME)
    _, _, signed = read_publication(paths["out"].read_bytes())
    assert signed.statement.bill_nano == bill_nano
    verified = verify(paths)
    assert verified.exit_code == 0, verified.output
    assert verified.output.startswith("verified: meter 3 owes")
    right = next(r.residual_wh for r in small_run.bills if r.meter == HOME and r.t == 1)
    judged = run("judge", paths["out"], "--ledger", paths["ledger"], "--openings", paths["openings"], "--interval", 1)
    assert judged.output == f"meter 3 committed to a residual of {right} Wh in interval 1\n"
    again = paths["out"].read_bytes()
    assert make(paths, group=group).exit_code == 0
    assert paths["out"].read_bytes() == again


def test_a_simulated_runs_meters_state_with_their_throw_away_keys(paths, small_run_dir, tmp_path):
    rest = ("--meter", HOME, "--state", tmp_path / "s", "--out", paths["out"], "--min-intervals", 1)
    made = run("make", "--run", small_run_dir, *rest)
    assert made.exit_code == 0, made.output
    assert verify(paths).exit_code == 0
    assert "give --billing, --ledger and --keystore" in run("make", *rest).output
    (tmp_path / "summary.json").write_text("[]")
    assert "names no seed" in run("make", "--run", tmp_path, *rest).output
    (tmp_path / "summary.json").write_text("{")
    assert run("make", "--run", tmp_path, *rest).exit_code == 2


def check(paths, billing=None):
    billing = billing or paths["billing"]
    given = ("--ledger", paths["ledger"], "--openings", paths["openings"], "--billing", billing)
    return run("check", paths["out"], *given)


def test_the_prosumer_checks_its_bill_interval_by_interval(paths, small_run, tmp_path):
    make(paths)
    own = [record for record in small_run.bills if record.meter == HOME]
    right = check(paths)
    assert right.exit_code == 0, right.output
    assert right.output.startswith(f"right: {len(own)} intervals of meter 3")

    def bills(records):
        path = tmp_path / "own.jsonl"
        path.write_text("".join(to_json(record) + "\n" for record in records))
        return path

    def rebilled(record, **changes):
        names = {name: getattr(record, name) for name in record.__slots__}
        inputs = {n: v for n, v in names.items() if n not in ("matched_wh", "residual_wh", "bill_nano")}
        return bill_interval(**{**inputs, **changes})

    for changes, words in (
        ({"measured_wh": own[1].measured_wh - 10}, "interval 1: committed"),
        ({"consumption_nano_per_wh": 999_999}, "interval 1: the bill has other prices"),
        ({"fa_deposited_nano": own[1].fa_deposited_nano + 1}, "fa_deposited"),
        ({"fa_withdrawn_nano": own[1].fa_withdrawn_nano + 1}, "fa_withdrawn_nano"),
    ):
        wrong = check(paths, bills([own[0], rebilled(own[1], **changes), *own[2:]]))
        assert wrong.exit_code == 1
        assert wrong.output.startswith("WRONG  meter 3")
        assert words in wrong.output
    missing = check(paths, bills(own[:-1]))
    assert missing.exit_code == 1
    assert f"interval {own[-1].t} has no commitment" in missing.output


def test_secrets_are_the_owners_alone(paths):
    make(paths)
    for path in (paths["openings"], paths["state"] / "blinding.secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda s: replace(s, bill_nano=s.bill_nano - 1), "bill_nano"),
        (lambda s: replace(s, blinding=s.blinding - 1), "blinding"),
        (lambda s: replace(s, fa_withdrawn_nano=s.fa_withdrawn_nano + 1), "fa_withdrawn_nano"),
        (lambda s: replace(s, nonce=s.nonce + 1), "signature"),
        (lambda s: replace(s, meter=1), "sheets"),
        (lambda s: replace(s, meter=99), "sheets"),
        (lambda s: replace(s, first=s.first + 1), "prices"),
        (lambda s: replace(s, last=s.last + 5), "prices"),
        (lambda s: replace(s, prices=()), "prices"),
        (lambda s: replace(s, totals=()), "totals"),
        (lambda s: replace(s, sheets=()), "sheets"),
    ],
)
def test_a_tampered_file_is_refused_by_the_name_of_the_field(paths, change, field):
    make(paths)
    group, sheets, signed = read_publication(paths["out"].read_bytes())
    tampered = replace(signed, statement=change(signed.statement))
    paths["out"].write_bytes(publication_bytes(group, sheets, tampered))
    result = verify(paths)
    assert result.exit_code == 1
    assert f": {field}" in result.output or f"{field} or" in result.output or f"{field}," in result.output
    assert result.output.startswith("REFUSED  meter")
    assert "Traceback" not in result.output


def test_input_at_fault_is_one_sentence(paths, tmp_path):
    for changed, words in (
        ({"meter": 77}, "no bill of meter 77"),
        ({"group": "ed25519"}, "none of alt_bn128, secp256k1"),
        ({"keystore": paths["billing"]}, "does not open"),
        ({"billing": tmp_path / "none"}, "is not there; check the path"),
        ({"min-intervals": 96}, "state a longer period"),
    ):
        result = make(paths, **changed)
        assert result.exit_code == 2, result.output
        assert words in result.output
        assert len(result.output.strip().splitlines()) == 1
    make(paths)
    paths["out"].write_bytes(paths["out"].read_bytes()[:-1])
    assert verify(paths).exit_code == 2
    result = run(
        "judge", paths["openings"], "--ledger", paths["ledger"], "--openings", paths["openings"], "--interval", 1
    )
    assert result.exit_code == 2


def test_files_are_read_in_one_spelling_only(paths):
    make(paths)
    raw, openings = paths["out"].read_bytes(), paths["openings"].read_bytes()
    assert publication_bytes(*read_publication(raw)) == raw
    assert openings_bytes(*read_openings(openings)) == openings
    for wrong in (
        raw[:-1],
        b" " + raw,
        raw.replace(b'"version":1', b'"version":2'),
        raw.replace(b"private_statement", b"openings"),
        raw.replace(b'"points":"0x', b'"points":"0xab'),
        raw.replace(b'"points":"0x', b'"points":"'),
        openings,
        b"[]\n",
    ):
        with pytest.raises(EncodingError):
            read_publication(wrong)
    for wrong in (raw, openings.replace(b'"deposits":[', b'"deposits":[{},')):
        with pytest.raises(EncodingError):
            read_openings(wrong)
    numbers = raw.replace(b'"bill_nano":', b'"bill_nano":1' + b"0" * 70)
    with pytest.raises(EncodingError, match="2\\*\\*200"):
        read_publication(numbers)


# --- The DSO's desk --------------------------------------------------------------------------------------


class Desk:
    """The DSO's desk and all committers of a run."""

    def __init__(self, small_run, group=SECP256K1):
        self.ledger = small_run.grid.ledger
        self.gate_s = small_run.scenario.gate_s
        self.desk = PrivateStatements(self.ledger, self.gate_s, group)
        self.group = group
        self.bills = {h.number: [b for b in small_run.bills if b.meter == h.number] for h in small_run.grid.homes}
        self.keys = {h.number: h.meter._key for h in small_run.grid.homes}

    def committer(self, home):
        domain = self.ledger.domain
        secret = BlindingSecret(bytes([home]) * 32, domain, self.group, home)
        book = CommitmentBook(":memory:", home, domain.separator, self.group.name)
        return Committer(home, self.keys[home], secret, domain, self.group, book, PriceGuard(1))

    def publish(self, home):
        committer = self.committer(home)
        committer.commit(self.bills[home])
        publication = committer.state(self.bills[home][0].t, self.bills[home][-1].t)
        committer._book.close()
        return publication

    def receive(self, home):
        publication = self.publish(home)
        for sheet in publication.sheets:
            self.desk.receive_sheet(sheet)
        self.desk.receive(publication.statement)
        return publication


def test_every_home_of_a_run_is_billed_to_the_nano_without_an_interval(small_run):
    desk = Desk(small_run)
    for home in desk.bills:
        desk.receive(home)
        assert desk.desk.bills_nano(home) == (sum(b.bill_nano for b in desk.bills[home]),)
    first, last = desk.bills[1][0].t, desk.bills[1][-1].t
    settled = {s.meter: s.amount_nano for s in desk.desk.settlements(first, last)}
    assert settled == {h: sum(b.fa_withdrawn_nano for b in bills) for h, bills in desk.bills.items()}
    assert desk.desk.settlements(first + 1, last) == ()


def test_a_statement_is_booked_once(small_run):
    desk = Desk(small_run)
    publication = desk.receive(1)
    with pytest.raises(BadStatement, match="nonce"):
        desk.desk.receive(publication.statement)
    desk.desk.receive_sheet(publication.sheets[0])
    assert len(desk.desk.bills_nano(1)) == 1


def test_a_second_sheet_for_an_interval_is_evidence(small_run):
    desk = Desk(small_run)
    publication = desk.publish(1)
    sheet = publication.sheets[0].sheet
    desk.desk.receive_sheet(publication.sheets[0])
    other = replace(sheet, points=desk.group.commit(1, 1) + sheet.points[64:])
    signed = sign_sheet(desk.ledger.domain, desk.group, other, desk.keys[1])
    for _ in range(2):
        with pytest.raises(BadStatement, match="signed another sheet"):
            desk.desk.receive_sheet(signed)
    assert desk.desk.contradictions == [(publication.sheets[0], signed)]
    forged = replace(publication.sheets[0], sheet=other)
    with pytest.raises(BadStatement, match="signature"):
        desk.desk.receive_sheet(forged)


def test_a_sheet_of_intervals_that_take_deposits_is_too_early(small_run):
    desk = Desk(small_run)
    far = desk.ledger.grid.index(desk.ledger.now_s) + 5
    committer = desk.committer(1)
    record = bill_interval(
        meter=1, t=far, measured_wh=5, consumption_nano_per_wh=240_000, production_nano_per_wh=90_000
    )
    with pytest.raises(BadStatement, match="still takes deposits"):
        desk.desk.receive_sheet(committer.commit([record]))
    committer._book.close()


def test_a_meter_that_bills_with_prices_of_its_own_is_refused(small_run):
    desk = Desk(small_run)
    desk.bills[1] = [
        bill_interval(
            meter=1,
            t=b.t,
            measured_wh=b.measured_wh,
            fa_withdrawn_nano=b.fa_withdrawn_nano,
            consumption_nano_per_wh=1,
            production_nano_per_wh=1,
        )
        for b in desk.bills[1]
    ]
    with pytest.raises(BadStatement, match="not the ledger's prices"):
        desk.receive(1)


def test_all_that_verify_are_booked_and_the_others_named(small_run):
    desk = Desk(small_run)
    publications = [desk.publish(home) for home in (1, 2, 3)]
    for publication in publications:
        desk.desk.receive_sheet(publication.sheets[0])
    bad = publications[1].statement
    bad = replace(bad, statement=replace(bad.statement, bill_nano=0))
    refused = desk.desk.receive_all([publications[0].statement, bad, publications[2].statement])
    assert [(r.meter, r.field) for r in refused] == [(2, "bill_nano, blinding or fa_deposited")]
    assert [len(desk.desk.bills_nano(h)) for h in (1, 2, 3)] == [1, 0, 1]
