"""What was taken is carried once, whatever the ledger's node does."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.keys import ThrowAwayKeys
from assets.transactions import Cancel, Domain, Signed, digest, sign
from contracts.errors import NodeUnreachable, RelayError, Reorganised, VerdictUnknown
from petra.relay import carrier as carriers
from petra.relay.carrier import Carrier
from petra.relay.mirror import Mirror
from petra.relay.queue import Queue
from petra.relay.refusals import AgainstTheRules, InTheWay, Malformed, NotNow
from petra.relay.service import Intake, Limits
from petra.relay.wire import SIZES, body_of
from tests.petra.relay.community import Community, community


class BadNode:
    """A ledger whose node does what ``moods`` say, one mood a question."""

    def __init__(self, ledger) -> None:
        self.ledger, self.moods, self.batches = ledger, [], []
        self.domain, self.grid, self.founder = ledger.domain, ledger.grid, ledger.founder

    def _mood(self):
        return self.moods.pop(0) if self.moods else None

    @property
    def now_s(self):
        return self.ledger.now_s

    def entries(self, start=0):
        mood = self._mood()
        if mood == "away":
            raise NodeUnreachable("away")
        if mood == "reorganised":
            raise Reorganised(0)
        return self.ledger.entries(start)

    def submit(self, batch):
        mood = self._mood()
        if mood == "away":
            raise NodeUnreachable("away")
        self.batches.append([digest(self.domain, s.tx) for s in batch])
        if mood == "undone" or (mood == "spoilt" and len(batch) > 1):
            raise RelayError("undone")
        receipts = self.ledger.submit(batch)
        if mood == "unknown":
            raise VerdictUnknown("who knows")
        return receipts


@dataclass
class Relay:
    homes: Community
    path: Path
    limits: Limits = field(default_factory=Limits)
    now_s: int = 1_000

    def __post_init__(self) -> None:
        self.node, self.told = BadNode(self.homes.ledger), {}
        self.start()

    def start(self) -> None:
        """As after ``kill -9``: only the file is left."""
        self.queue, self.mirror = Queue(self.path, self.homes.domain), Mirror(BadNode(self.homes.ledger))
        self.carrier = Carrier(self.queue, self.mirror, self.node, self.count, lambda: self.now_s)
        self.intake = Intake(self.queue, self.mirror, self.limits)

    def count(self, what: str, by: int) -> None:
        self.told[what] = self.told.get(what, 0) + by

    def take(self, signed: Signed) -> bool:
        return self.intake.take(body_of(signed))

    def recorded(self, signed: Signed) -> int:
        message = digest(self.homes.domain, signed.tx)
        return sum(e.digest == message for e in self.homes.ledger.entries())


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    return Relay(community(), tmp_path / "relay.db")


def test_a_batch_goes_in_the_order_of_digests_whenever_its_transactions_came(relay: Relay) -> None:
    given_in = [relay.homes.withdrawal(home) for home in range(4)]
    assert [relay.take(s) for s in (*given_in, given_in[0])] == [True] * 4 + [False]
    assert relay.carrier.step() == 4
    (batch,) = relay.node.batches
    assert batch == sorted(batch)
    assert relay.carrier.step() == 0
    assert len(relay.node.batches) == 1
    assert [relay.take(s) for s in given_in] == [False] * 4


def test_no_more_is_verified_in_a_tick_than_is_carried(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = [relay.homes.withdrawal(home) for home in range(4)]
    for one in signed:
        relay.take(one)
    monkeypatch.setattr(carriers, "BATCH", 2)
    asked, refusal = [], relay.mirror.refusal
    monkeypatch.setattr(relay.mirror, "refusal", lambda *which: asked.append(which) or refusal(*which))
    assert relay.carrier.step() == 2
    assert len(asked) == 2
    assert relay.carrier.step() == 2
    assert [relay.recorded(one) for one in signed] == [1] * 4


def test_what_was_taken_survives_the_process(relay: Relay) -> None:
    signed = relay.homes.withdrawal(0)
    relay.take(signed)
    relay.start()
    assert relay.queue.waiting() == 1
    relay.carrier.step()
    relay.start()
    relay.carrier.step()
    assert relay.recorded(signed) == 1
    assert relay.queue.waiting() == 0


@pytest.mark.parametrize("moods", [["away"], ["unknown"], ["undone"], ["spoilt"]])
def test_a_node_that_fails_loses_and_doubles_nothing(relay: Relay, moods: list[str]) -> None:
    signed = [relay.homes.withdrawal(home) for home in range(3)]
    for one in signed:
        relay.take(one)
    relay.node.moods = moods
    for _ in range(3):
        try:
            relay.carrier.step()
        except (NodeUnreachable, VerdictUnknown):
            continue
    assert [relay.recorded(one) for one in signed] == [1, 1, 1]
    assert relay.told["recorded"] == 3
    assert "refused" not in relay.told


def test_one_that_is_always_undone_does_not_keep_the_others_and_is_given_up(relay: Relay) -> None:
    relay.take(relay.homes.withdrawal(0))
    for _ in range(carriers.TRIES):
        relay.node.moods = ["undone"]
        relay.carrier.step()
    assert (relay.queue.waiting(), relay.told["refused"]) == (0, 1)


def test_what_the_chain_dropped_is_carried_again(relay: Relay) -> None:
    before = len(relay.homes.ledger.entries())
    signed = relay.homes.withdrawal(0)
    relay.take(signed)
    relay.carrier.step()
    fresh = community_without(relay, before)
    relay.mirror._ledger.ledger = relay.node.ledger = relay.homes.ledger = fresh
    relay.mirror._ledger.moods = ["reorganised"]
    relay.carrier.step()
    assert relay.recorded(signed) == 1
    assert relay.told == {"recorded": 2, "lost by the chain": 1}


def community_without(relay: Relay, count: int):
    """The ledger with the first ``count`` of its entries only."""
    old = relay.homes.ledger
    fresh = type(old)(old.domain, old.grid, old.founder)
    for entry in old.entries()[:count]:
        fresh.submit([entry.signed])[0].require()
    return fresh


def test_what_is_on_the_ledger_is_forgotten_after_a_while(relay: Relay) -> None:
    relay.take(relay.homes.withdrawal(0))
    relay.carrier.step()
    assert len(relay.queue.items()) == 1
    relay.now_s += carriers.KEEP_S
    relay.carrier.step()
    assert relay.queue.items() == []


def test_a_note_that_was_spent_by_another_way_meanwhile_leaves_the_queue(relay: Relay) -> None:
    (note,) = relay.homes.issue(0, 1)
    relay.take(relay.homes.moved(note))
    relay.homes.ledger.submit([relay.homes.moved(note)])[0].require()
    relay.carrier.step()
    assert (relay.queue.items(), relay.told["refused"]) == ([], 1)


def test_the_same_transaction_carried_by_somebody_else_first_is_recorded_not_refused(relay: Relay) -> None:
    (note,) = relay.homes.issue(0, 1)
    signed = relay.homes.moved(note)
    relay.take(signed)
    relay.homes.ledger.submit([signed])[0].require()
    relay.carrier.step()
    assert relay.told == {"recorded": 1, "lost by the chain": 0}


def test_what_the_ledger_would_refuse_is_not_taken(relay: Relay) -> None:
    homes = relay.homes
    (note,) = homes.issue(0, 1)
    forged = Signed(homes.moved(note).tx, (bytes(65),))
    early = homes.withdrawal(1)
    later = homes.withdrawal(1)
    stranger = ThrowAwayKeys(9, "stranger").fresh()
    cancel = sign(homes.domain, Cancel(stranger.address, 1), stranger)
    for signed, says in ((forged, "key of the expected address"), (later, "consecutively"), (cancel, "no order")):
        with pytest.raises(AgainstTheRules, match=says):
            relay.take(signed)
    relay.take(early)
    spent = homes.moved(note)
    relay.take(spent)
    relay.carrier.step()
    with pytest.raises(AgainstTheRules, match="this note is gone"):
        relay.take(homes.moved(note))
    with pytest.raises(Malformed, match="followed by spaces"):
        relay.intake.take(b"{}")
    with pytest.raises(Malformed, match="expected JSON"):
        relay.intake.take(b"x".ljust(SIZES[0]))
    owner = homes.keys[spent.tx.outputs[0].owner]
    assert relay.take(sign(homes.domain, Cancel(owner.address, 2), owner))
    relay.carrier.step()
    assert relay.queue.waiting() == 0


def test_two_that_spend_the_same_note_do_not_wait_together(relay: Relay) -> None:
    (note,) = relay.homes.issue(0, 1)
    relay.take(relay.homes.moved(note))
    with pytest.raises(InTheWay, match="same note"):
        relay.take(relay.homes.moved(note))


def test_a_full_queue_takes_no_more_and_says_so(tmp_path: Path) -> None:
    relay = Relay(community(), tmp_path / "relay.db", Limits(waiting=1))
    first, second = relay.homes.withdrawal(0), relay.homes.withdrawal(1)
    relay.take(first)
    with pytest.raises(NotNow, match="another relay"):
        relay.take(second)
    assert relay.take(first) is False, "what was taken is taken"
    relay.carrier.step()
    assert relay.take(second)


def test_while_the_node_is_away_what_is_known_to_be_right_is_taken_and_the_rest_is_not_now(relay: Relay) -> None:
    (note,) = relay.homes.issue(0, 1)
    relay.mirror.refresh()
    signed = relay.homes.moved(note)
    (unseen,) = relay.homes.issue(1, 1)
    relay.mirror._ledger.moods = ["away"]
    with pytest.raises(NotNow, match="does not answer"):
        relay.take(relay.homes.moved(unseen))
    assert relay.take(signed)


def test_each_ledger_has_a_queue_of_its_own(relay: Relay) -> None:
    with pytest.raises(ValueError, match="another ledger"):
        Queue(relay.path, Domain(6, relay.homes.domain.contract))
    with pytest.raises(ConnectionError, match="cannot be used"):
        Queue(relay.path.parent, relay.homes.domain)


@given(st.lists(st.sampled_from(["take", "again", "step", "kill", "away", "unknown", "undone", "reread"]), max_size=25))
def test_whatever_happens_each_is_recorded_exactly_once(tmp_path_factory, script: list[str]) -> None:
    relay = Relay(community(12), tmp_path_factory.mktemp("relay") / "relay.db")
    taken: list[Signed] = []
    for act in script:
        if act == "take" and len(taken) < 12:
            taken.append(relay.homes.withdrawal(len(taken)))
            relay.take(taken[-1])
        elif act == "again" and taken:
            assert relay.take(taken[0]) is False
        elif act == "kill":
            relay.start()
        else:
            if act == "reread":
                relay.mirror._ledger.moods = ["reorganised"]
            elif act in ("away", "unknown", "undone"):
                relay.node.moods = [act]
            try:
                relay.carrier.step()
            except (NodeUnreachable, VerdictUnknown):
                continue
    relay.node.moods = []
    relay.carrier.step()
    assert [relay.recorded(signed) for signed in taken] == [1] * len(taken)
    assert relay.queue.waiting() == 0
