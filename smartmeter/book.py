"""The meter's book: what it signed, what it counted from the ledger, and its final bills, in one SQLite file.

What was counted from the ledger and the bills made of it change together, in one transaction: a process killed at any
instant finds both as they were before, or both as they are after. A withdrawal is written before it is sent.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from assets.codec import canonical, parse, signed_from_json, signed_to_json
from assets.notes import Kind
from assets.statement import SignedStatement, Statement
from assets.transactions import Domain, Signed, Withdraw
from smartmeter.billing import BillingRecord, from_json, to_json
from smartmeter.tally import RefusedDeposit, TallyState

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS withdrawal (
    window INTEGER PRIMARY KEY, body BLOB NOT NULL, fate TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS bill (t INTEGER PRIMARY KEY, record TEXT NOT NULL, base_wh INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS refused (
    seq INTEGER NOT NULL, place INTEGER NOT NULL, kind INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (seq, place)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS statement (
    nonce INTEGER PRIMARY KEY, body TEXT NOT NULL, acknowledged INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS stated (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, kind TEXT NOT NULL) STRICT;
"""


class BookError(ValueError):
    """A book that is another meter's, or that another process uses; says what to do."""


class Fate(Enum):
    """What became of a withdrawal."""

    SENT = "sent"
    """Signed, and perhaps sent."""
    RECORDED = "recorded"
    REFUSED = "refused"
    EXPIRED = "expired"
    """Its window closed before the ledger recorded it."""


@dataclass(frozen=True, slots=True)
class Issue:
    """The standard set of one window."""

    window: int
    signed: Signed[Withdraw]
    fate: Fate
    reason: str


class Book:
    """One meter's book on one ledger."""

    def __init__(self, path: Path, meter: int, domain: Domain) -> None:
        """Open the file, or make it. Raises :class:`BookError`."""
        self.domain = domain
        about = {"format": "petra-meter-1", "meter": str(meter), "ledger": "0x" + domain.separator.hex()}
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            for name, value in about.items():
                self._db.execute("INSERT OR IGNORE INTO about VALUES (?, ?)", (name, value))
        except sqlite3.Error as failure:
            raise BookError(f"{path} cannot be used ({failure}); free the disk, or restore the file") from None
        if any(self._about(name) != value for name, value in about.items()):
            self._db.close()
            raise BookError(f"{path} is the book of another meter or ledger; give each meter a folder of its own")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """All changes within happen together or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- Where billing stands ----------------------------------------------------------------------------

    def start(self, t: int) -> int:
        """The first interval that the meter bills: ``t``, unless it was said before."""
        self._db.execute("INSERT OR IGNORE INTO about VALUES ('start', ?)", (str(t),))
        return int(self._about("start") or t)

    def skip(self, t: int) -> None:
        """Begin after ``t``, which no bill can be made for. Only before the first bill."""
        self._db.execute("UPDATE about SET value = ? WHERE name = 'start'", (str(t + 1),))

    @property
    def next_bill(self) -> int | None:
        """The interval whose bill is due next; ``None`` before the meter ever ran."""
        ((newest,),) = self._db.execute("SELECT MAX(t) FROM bill").fetchall()
        start = self._about("start")
        return newest + 1 if newest is not None else None if start is None else int(start)

    @property
    def first_bill(self) -> int | None:
        """The interval of the first bill; ``None`` before there is one."""
        ((oldest,),) = self._db.execute("SELECT MIN(t) FROM bill").fetchall()
        return None if oldest is None else int(oldest)

    @property
    def base_wh(self) -> int:
        """The net total of the counters that all bills so far account for."""
        row = self._db.execute("SELECT base_wh FROM bill ORDER BY t DESC LIMIT 1").fetchone()
        return 0 if row is None else int(row[0])

    def add_bill(self, record: BillingRecord, base_wh: int) -> None:
        """Keep a final bill, and the net total that bills account for with it. A bill never changes."""
        self._db.execute("INSERT INTO bill VALUES (?, ?, ?)", (record.t, to_json(record), base_wh))

    def bills(self, first: int = 0, last: int = 2**32) -> list[BillingRecord]:
        """Final bills, oldest first."""
        rows = self._db.execute("SELECT record FROM bill WHERE t BETWEEN ? AND ? ORDER BY t", (first, last))
        return [from_json(line) for (line,) in rows]

    # --- What was counted from the ledger ----------------------------------------------------------------

    def tally(self) -> TallyState | None:
        """What was counted when it was last stored."""
        text = self._about("tally")
        if text is None:
            return None
        values = json.loads(text)
        return TallyState(
            cursor=values["cursor"],
            time_s=values["time_s"],
            energy=tuple(tuple(row) for row in values["energy"]),
            money=tuple(tuple(row) for row in values["money"]),
            windows=tuple(values["windows"]),
            prices=tuple(tuple(row) for row in values["prices"]),
        )

    def store_tally(self, state: TallyState, refused: Sequence[RefusedDeposit]) -> None:
        """Keep what was counted, and the deposits refused meanwhile."""
        self._db.execute("REPLACE INTO about VALUES ('tally', ?)", (json.dumps(asdict(state)),))
        self._db.executemany(
            "INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?)",
            [(r.seq, r.index, int(r.kind), r.first, r.last, r.reason) for r in refused],
        )

    def refused(self) -> list[RefusedDeposit]:
        """All refused deposits, in the ledger's order."""
        rows = self._db.execute("SELECT * FROM refused ORDER BY seq, place")
        return [RefusedDeposit(seq, at, Kind(kind), first, last, why) for seq, at, kind, first, last, why in rows]

    # --- What was issued ---------------------------------------------------------------------------------

    def add_issue(self, signed: Signed[Withdraw]) -> None:
        """Keep a signed withdrawal, durably, before it is sent."""
        body = canonical(signed_to_json(signed))
        self._db.execute("INSERT INTO withdrawal VALUES (?, ?, ?, '')", (signed.tx.window, body, Fate.SENT.value))

    def settle_issue(self, window: int, fate: Fate, reason: str = "") -> None:
        """Note what became of a window's withdrawal."""
        self._db.execute("UPDATE withdrawal SET fate = ?, reason = ? WHERE window = ?", (fate.value, reason, window))

    def doubt_issues(self, first: int) -> None:
        """The chain dropped entries: whether withdrawals from window ``first`` on stand on the ledger is open again."""
        self._db.execute(
            "UPDATE withdrawal SET fate = ? WHERE fate = ? AND window >= ?",
            (Fate.SENT.value, Fate.RECORDED.value, first),
        )

    def issues(self) -> list[Issue]:
        """All withdrawals ever signed, by window."""
        rows = self._db.execute("SELECT window, body, fate, reason FROM withdrawal ORDER BY window")
        return [_issue(*row) for row in rows]

    def pending(self) -> list[Issue]:
        """Withdrawals whose fate is not known, by window."""
        rows = self._db.execute(
            "SELECT window, body, fate, reason FROM withdrawal WHERE fate = ? ORDER BY window", (Fate.SENT.value,)
        )
        return [_issue(*row) for row in rows]

    def has_issue(self, window: int) -> bool:
        """Whether a withdrawal for ``window`` was ever signed."""
        return self._db.execute("SELECT 1 FROM withdrawal WHERE window = ?", (window,)).fetchone() is not None

    # --- What was stated ---------------------------------------------------------------------------------

    def state_period(self, first: int, last: int, kind: str) -> None:
        """Note that a period is stated as ``kind``, ``plain`` or ``private``; the same again changes nothing.

        Raises :class:`BookError` if a part of it was stated otherwise: two openings of one interval tell its energy.
        """
        with self.change():
            self._state(first, last, kind)

    def _state(self, first: int, last: int, kind: str) -> None:
        rows = self._db.execute(
            "SELECT first, last, kind FROM stated WHERE first <= ? AND last >= ?", (last, first)
        ).fetchall()
        if rows == [(first, last, kind)]:
            return
        if rows:
            low, high, before = rows[0]
            raise BookError(
                f"the intervals {low}..{high} were stated as {before} already; a period is stated once, one way"
            )
        self._db.execute("INSERT INTO stated VALUES (?, ?, ?)", (first, last, kind))

    def stated(self) -> list[tuple[int, int, str]]:
        """First and last interval and kind of all periods stated."""
        return list(self._db.execute("SELECT first, last, kind FROM stated ORDER BY first"))

    def add_statement(self, signed: SignedStatement) -> None:
        """Keep the signed statement of a period, durably, before it is sent. Raises :class:`BookError`, as above."""
        s = signed.statement
        with self.change():
            self._state(s.first, s.last, "plain")
            body = json.dumps({**asdict(s), "signature": signed.signature.hex()})
            self._db.execute("INSERT INTO statement VALUES (?, ?, 0)", (s.nonce, body))

    def statement_count(self, acknowledged_only: bool = False) -> int:
        """How many periods were stated plainly."""
        where = " WHERE acknowledged" if acknowledged_only else ""
        return int(self._db.execute(f"SELECT count(*) FROM statement{where}").fetchone()[0])  # noqa: S608 - no input

    def waiting_statement(self) -> SignedStatement | None:
        """The oldest statement that the DSO has not acknowledged."""
        query = "SELECT body FROM statement WHERE NOT acknowledged ORDER BY nonce LIMIT 1"
        row = self._db.execute(query).fetchone()
        if row is None:
            return None
        fields = json.loads(row[0])
        signature = bytes.fromhex(fields.pop("signature"))
        return SignedStatement(Statement(**fields), signature)

    def acknowledge(self, nonce: int) -> None:
        """Note that the DSO has booked a statement."""
        self._db.execute("UPDATE statement SET acknowledged = 1 WHERE nonce = ?", (nonce,))

    def dump(self) -> list[tuple[object, ...]]:
        """What must be the same however often the process was killed: bills and signed withdrawals."""
        bills = list(self._db.execute("SELECT * FROM bill ORDER BY t"))
        return bills + list(self._db.execute("SELECT * FROM withdrawal ORDER BY window"))

    def _about(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])


def _issue(window: int, body: bytes, fate: str, reason: str) -> Issue:
    signed = signed_from_json(parse(body))
    if not isinstance(signed.tx, Withdraw):
        raise BookError(f"the withdrawal of window {window} in the book is none; restore the file")
    return Issue(window, Signed(signed.tx, signed.signatures), Fate(fate), reason)
