"""``petra mix``: what a mix costs, and who broke it. docs/protocol explains the engines.

Exit codes: 0 done; 1 the judge names somebody, or no mix came of the session; 2 the input or the machine is at fault.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from petra.commands.errors import one_sentence_errors

if TYPE_CHECKING:
    from mixer.judge import Verdict
    from mixer.session import MixSession

NOTE = "One process plays all members; the CPU of a member is an equal share of it. No network delays."

app = typer.Typer(no_args_is_help=True, help="What a mix costs, and who broke it.")


@app.command()
def bench(
    engine: Annotated[str, typer.Option(help="coinshuffle, or dicemix.")] = "coinshuffle",
    peers: Annotated[str, typer.Option(help="Sizes of the sessions, separated by commas.")] = "5,10,20",
    transport: Annotated[str, typer.Option(help="memory: all in this process, NOT ANONYMOUS.")] = "memory",
    silent: Annotated[int, typer.Option(min=0, help="Members that never post, so that the others restart.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Where to keep the log of the last session, for the judge.")] = None,
) -> None:
    """Mix throw-away notes and say what it took: seconds, rounds, bytes and CPU of a member."""
    with one_sentence_errors():
        from rich.console import Console
        from rich.table import Table

        from petra.mix_bench import HEADER, measure

        if transport != "memory":
            raise ValueError(f"--transport {transport!r} is unknown; this version has memory")
        typer.echo("NOT ANONYMOUS: throw-away keys, and all messages travel in memory.")
        sizes = [_size(text) for text in peers.split(",")]
        rows = [measure(engine, size, silent, out if size == sizes[-1] else None) for size in sizes]
        table = Table(title=f"{engine}, {transport}", title_justify="left", caption=NOTE, caption_justify="left")
        for name in HEADER:
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(*row.cells())
        Console().print(table)


@app.command()
def judge(
    log: Annotated[Path, typer.Argument(help="The log of a session, as petra mix bench --out writes it.")],
) -> None:
    """Compute from a log alone who broke the protocol, with the evidence, and whether the others mixed."""
    with one_sentence_errors():
        from mixer.engines import engine_named
        from mixer.judge import judge as judge_log
        from mixer.logfile import decode

        with log.open("rb") as file:
            read = decode(file)
        verdict = judge_log(
            engine_named(read.engine),
            read.session,
            read.rules,
            read.entries,
            start_s=read.start_s,
            until_s=read.until_s,
        )
        for line in _sentences(read.session, verdict):
            typer.echo(line)
    if verdict.mixed is None or verdict.guilty:
        raise typer.Exit(1)


def _size(text: str) -> int:
    if not text.strip().isdigit():
        raise ValueError(f"--peers: {text!r} is no number; write 5,10,20")
    return int(text)


def _sentences(session: "MixSession", verdict: "Verdict") -> list[str]:
    from assets.hashing import keccak
    from mixer.engine import Blamed, Mixed

    lines = [f"session 0x{session.id.hex()}: {session.size} members"]
    for attempt in verdict.attempts:
        head = f"run {attempt.run.number} of {attempt.run.size} members, ended at {attempt.ended_s} s:"
        if isinstance(attempt.outcome, Mixed):
            lines.append(f"{head} mixed")
        elif not isinstance(attempt.outcome, Blamed):
            lines.append(f"{head} failed by nobody's fault ({attempt.outcome.why})")
        else:
            lines.append(f"{head} broken")
            for guilt in attempt.outcome.guilty:
                grade = "proven" if guilt.proven else "not proven: the board may have hidden a message"
                owner = session.owners[guilt.member].hex()
                lines.append(f"  member {guilt.member} (0x{owner}): {guilt.reason}, {guilt.phase} phase; {grade}")
                lines += [f"    evidence: message 0x{keccak(data).hex()}, {len(data)} bytes" for data in guilt.evidence]
    if verdict.mixed is not None:
        lines.append(f"verdict: {len(verdict.mixed.tx.inputs)} notes mixed; {len(verdict.guilty)} members excluded")
    elif verdict.unfinished:
        lines.append("verdict: none yet, the log ends while a run goes on")
    else:
        lines.append("verdict: no mix; too few members were left, and their notes stay where they were")
    return lines
