"""py-evm with its commonest instructions fused: gas, stack and effect of one in a single call.

Three of four instructions that the contract executes only move words. py-evm spends five nested calls on each; fused,
a stage of a simulation takes half the time (measured). Meaning and gas are those of py-evm, which executes everything
else, and ``tests/contracts/test_interpreter.py`` compares state roots and gas of both.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import cast

from eth.abc import MessageAPI, OpcodeAPI, StateAPI, TransactionContextAPI
from eth.exceptions import FullStack, InsufficientStack, InvalidJumpDestination, OutOfGas
from eth.vm import opcode_values as op
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState
from eth.vm.stack import Stack

Instruction = Callable[["FusedComputation"], None]

WORD = 2**256
STACK_LIMIT = 1024
VERY_LOW, BASE, MID, HIGH, JUMPDEST_GAS = 3, 2, 8, 10, 1
"""Gas by class of instruction (Yellow Paper, appendix G)."""


def _pay(computation: "FusedComputation", gas: int) -> list[int | bytes]:
    """Charge ``gas`` and give the stack."""
    meter = computation._gas_meter
    if meter.gas_remaining < gas:
        raise OutOfGas(f"Out of gas: Needed {gas} - Remaining {meter.gas_remaining}")
    meter.gas_remaining -= gas
    return computation.values


def _int(item: int | bytes) -> int:
    """A stack item as a number; py-evm keeps some as bytes."""
    return item if isinstance(item, int) else int.from_bytes(item, "big")


def _push(size: int) -> Instruction:
    def push(computation: "FusedComputation") -> None:
        values = _pay(computation, VERY_LOW)
        if len(values) >= STACK_LIMIT:
            raise FullStack("Stack limit reached")
        raw = computation.code.read(size)
        values.append(int.from_bytes(raw if len(raw) == size else raw.ljust(size, b"\0"), "big"))

    return push


def _dup(depth: int) -> Instruction:
    def dup(computation: "FusedComputation") -> None:
        values = _pay(computation, VERY_LOW)
        if len(values) >= STACK_LIMIT:
            raise FullStack("Stack limit reached")
        if len(values) < depth:
            raise InsufficientStack(f"Insufficient stack items for DUP{depth}")
        values.append(values[-depth])

    return dup


def _swap(depth: int) -> Instruction:
    place = -depth - 1

    def swap(computation: "FusedComputation") -> None:
        values = _pay(computation, VERY_LOW)
        if len(values) <= depth:
            raise InsufficientStack(f"Insufficient stack items for SWAP{depth}")
        values[-1], values[place] = values[place], values[-1]

    return swap


def _binary(gas: int, result: Callable[[int, int], int]) -> Instruction:
    def binary(computation: "FusedComputation") -> None:
        values = _pay(computation, gas)
        if len(values) < 2:
            raise InsufficientStack(f"Wanted 2 stack items, only had {len(values)}")
        top = values.pop()
        values[-1] = result(_int(top), _int(values[-1]))

    return binary


def _iszero(computation: "FusedComputation") -> None:
    values = _pay(computation, VERY_LOW)
    if not values:
        raise InsufficientStack("Wanted 1 stack item, had none")
    values[-1] = 0 if _int(values[-1]) else 1


def _pop(computation: "FusedComputation") -> None:
    values = _pay(computation, BASE)
    if not values:
        raise InsufficientStack("Wanted 1 stack item, had none")
    values.pop()


def _jumpdest(computation: "FusedComputation") -> None:
    _pay(computation, JUMPDEST_GAS)


def _jump(computation: "FusedComputation") -> None:
    values = _pay(computation, MID)
    if not values:
        raise InsufficientStack("Wanted 1 stack item, had none")
    _go(computation, _int(values.pop()))


def _jumpi(computation: "FusedComputation") -> None:
    values = _pay(computation, HIGH)
    if len(values) < 2:
        raise InsufficientStack(f"Wanted 2 stack items, only had {len(values)}")
    place, condition = values.pop(), values.pop()
    if _int(condition):
        _go(computation, _int(place))


def _go(computation: "FusedComputation", place: int) -> None:
    if place not in computation.landings:
        raise InvalidJumpDestination("Invalid Jump Destination")
    computation.code.program_counter = place


@lru_cache(maxsize=64)
def landings(code: bytes) -> frozenset[int]:
    """Where a jump may land in ``code``: at every JUMPDEST that is not the data of a PUSH."""
    places, at = set(), 0
    while at < len(code):
        if code[at] == op.JUMPDEST:
            places.add(at)
        at += code[at] - op.PUSH1 + 2 if op.PUSH1 <= code[at] <= op.PUSH32 else 1
    return frozenset(places)


_FUSED: dict[int, Instruction] = {
    **{op.PUSH1 + n: _push(n + 1) for n in range(32)},
    **{op.DUP1 + n: _dup(n + 1) for n in range(16)},
    **{op.SWAP1 + n: _swap(n + 1) for n in range(16)},
    op.ADD: _binary(VERY_LOW, lambda a, b: (a + b) % WORD),
    op.SUB: _binary(VERY_LOW, lambda a, b: (a - b) % WORD),
    op.AND: _binary(VERY_LOW, lambda a, b: a & b),
    op.OR: _binary(VERY_LOW, lambda a, b: a | b),
    op.LT: _binary(VERY_LOW, lambda a, b: int(a < b)),
    op.GT: _binary(VERY_LOW, lambda a, b: int(a > b)),
    op.EQ: _binary(VERY_LOW, lambda a, b: int(a == b)),
    op.SHL: _binary(VERY_LOW, lambda shift, value: (value << shift) % WORD if shift < 256 else 0),
    op.SHR: _binary(VERY_LOW, lambda shift, value: value >> shift if shift < 256 else 0),
    op.ISZERO: _iszero,
    op.POP: _pop,
    op.JUMPDEST: _jumpdest,
    op.JUMP: _jump,
    op.JUMPI: _jumpi,
}


class FusedComputation(PragueComputation):
    """A call, executed with fused instructions."""

    opcodes = {**PragueComputation.opcodes, **cast(dict[int, OpcodeAPI], _FUSED)}  # noqa: RUF012 - as py-evm says it

    def __init__(self, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI) -> None:
        super().__init__(state, message, transaction_context)
        stack = Stack()
        self._stack = stack
        self.values = stack.values
        """What is on the stack, its top last."""
        self.landings = landings(bytes(message.code))
        """Where a jump may land."""


class FusedState(PragueState):
    """The state of a chain with fused instructions."""

    computation_class = FusedComputation


class FusedVM(PragueVM):
    """The rules of the Prague fork, with fused instructions."""

    _state_class = FusedState
