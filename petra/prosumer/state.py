"""What a wallet must not forget: numbers of addresses handed out, sessions begun, orders, instructions, events.

Everything is on the disk, encrypted, when a call returns. Notes are not here: the ledger has them.
"""

import time
from dataclasses import replace
from pathlib import Path

from assets.keys import Digest
from assets.orders import Order, Side
from petra.prosumer.records import Event, Instruction, OrderFate, OrderRecord
from petra.prosumer.vault import Value, Vault


def now_ms() -> int:
    """Real time, Unix milliseconds."""
    return time.time_ns() // 1_000_000


class State:
    """One wallet's memory."""

    def __init__(self, path: Path, secret: bytes) -> None:
        """Open the file, or make it. Raises :class:`~petra.prosumer.vault.VaultError`."""
        self._vault = Vault(path, secret)

    def close(self) -> None:
        """Close the file."""
        self._vault.close()

    # --- Addresses and sessions --------------------------------------------------------------------------

    def take(self, name: str, at_least: int, below: int) -> int | None:
        """The next number of a counter, at least ``at_least``; ``None`` if that is not less than ``below``."""
        with self._vault.change():
            stored = self._vault.get("counter", name)
            number = max(at_least, int(stored["next"] or 0) if stored else 0)
            if number >= below:
                return None
            self._vault.put("counter", name, {"next": number + 1})
        return number

    def begin_session(self, session_id: bytes) -> bool:
        """Whether a mix session may be played: not begun before, by this process or an earlier one."""
        with self._vault.change():
            if self._vault.get("session", session_id.hex()) is not None:
                return False
            self._vault.put("session", session_id.hex(), {"begun_ms": now_ms()})
        return True

    @property
    def restored_window(self) -> int:
        """The last window that a lost wallet may have mixed or traded in; -1: this wallet never was restored.

        Mixes of these windows are not played: the lost wallet may have begun them. Their notes are deposited.
        """
        stored = self._vault.get("setting", "restored")
        return -1 if stored is None else int(stored["window"] or 0)

    def note_restore(self, window: int) -> None:
        """Say that what a lost wallet did up to ``window`` is not known."""
        self._vault.put("setting", "restored", {"window": window})

    @property
    def settled_below(self) -> int:
        """Nothing that is worth anything is left of the windows below this one; 0: nobody has looked yet."""
        stored = self._vault.get("setting", "settled")
        return 0 if stored is None else int(stored["window"] or 0)

    def note_settled(self, below: int) -> None:
        """Say that the windows below this one need not be looked at again."""
        self._vault.put("setting", "settled", {"window": below})

    # --- Orders ------------------------------------------------------------------------------------------

    def add_order(self, order_id: Digest, order: Order, window: int, ledger_s: int | None, found: bool = False) -> bool:
        """Remember an order before it is posted; ``found``: in the public book, by a restore. False if it is known."""
        with self._vault.change():
            if self._vault.get("order", order_id.hex()) is not None:
                return False
            record = OrderRecord.of(order_id, order, window, None if found else now_ms(), ledger_s)
            self._vault.put("order", order_id.hex(), record.to_value())
        return True

    def close_order(
        self,
        order_id: Digest,
        fate: OrderFate,
        ledger_s: int | None,
        price_nano_per_wh: int | None = None,
        reason: str | None = None,
    ) -> None:
        """Say what became of an order; ``ledger_s``: ledger time of it. Raises ``KeyError`` for an unknown one."""
        with self._vault.change():
            stored = self._vault.get("order", order_id.hex())
            if stored is None:
                raise KeyError("0x" + order_id.hex())
            closed = replace(
                OrderRecord.from_value(stored),
                fate=fate,
                closed_ms=now_ms(),
                closed_s=ledger_s,
                price_nano_per_wh=price_nano_per_wh,
                reason=reason,
            )
            self._vault.put("order", order_id.hex(), closed.to_value())

    def orders(self, window: int | None = None) -> list[OrderRecord]:
        """All orders, or those of a window, oldest first."""
        records = [OrderRecord.from_value(value) for _, value in self._vault.all("order")]
        return [record for record in records if window in (None, record.window)]

    # --- Instructions ------------------------------------------------------------------------------------

    def add_instruction(self, window: int, side: Side, notes: int, limit_nano_per_wh: int) -> Instruction:
        """Note what the owner wants offered in a window; the agent carries it out in place of its strategy."""
        with self._vault.change():
            number = self._vault.count("instruction") + 1
            given = Instruction(number, window, side, notes, limit_nano_per_wh, now_ms())
            self._vault.put("instruction", str(number), given.to_value())
        return given

    def instructions(self, window: int | None = None) -> list[Instruction]:
        """Instructions that wait, of all windows or of one, oldest first."""
        given = [Instruction.from_value(value) for _, value in self._vault.all("instruction")]
        return [i for i in given if i.outcome is None and window in (None, i.window)]

    def close_instruction(self, number: int, outcome: str) -> None:
        """Say what was done about an instruction. Raises ``KeyError`` for an unknown one."""
        with self._vault.change():
            stored = self._vault.get("instruction", str(number))
            if stored is None:
                raise KeyError(number)
            done = replace(Instruction.from_value(stored), outcome=outcome)
            self._vault.put("instruction", str(number), done.to_value())

    # --- What the agent keeps for itself -----------------------------------------------------------------

    def keep(self, kind: str, name: str, value: Value) -> None:
        """Keep a record of the agent's own, in place of the one of that kind and name."""
        self._vault.put(f"agent/{kind}", name, value)

    def kept(self, kind: str) -> list[tuple[str, Value]]:
        """Name and value of the agent's records of a kind, in the order in which they were first kept."""
        return self._vault.all(f"agent/{kind}")

    # --- Events ------------------------------------------------------------------------------------------

    def add_event(self, kind: str, ledger_s: int | None = None, **facts: int | str | bool | None) -> Event:
        """Note what happened, with real time and, where it is known, ledger time."""
        with self._vault.change():
            event = Event(self._vault.count("event") + 1, kind, now_ms(), ledger_s, facts)
            value: Value = {"kind": kind, "real_ms": event.real_ms, "ledger_s": ledger_s}
            value |= {"." + name: fact for name, fact in facts.items()}
            self._vault.put("event", str(event.number), value)
        return event

    def events(self) -> list[Event]:
        """Everything that happened, oldest first."""
        return [_event(int(name), value) for name, value in self._vault.all("event")]

    def __repr__(self) -> str:
        return "State()"


def _event(number: int, value: Value) -> Event:
    facts = {name[1:]: fact for name, fact in value.items() if name.startswith(".")}
    ledger_s = value["ledger_s"]
    return Event(
        number, str(value["kind"]), int(value["real_ms"] or 0), None if ledger_s is None else int(ledger_s), facts
    )
