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
    from petra.transports import Played
    from petra.transports import Table as MixTable

NOTE = (
    "One process plays all members of a session, the board is another. Over http and tor they share checks of public "
    "data, as homes with processors of their own make them side by side; the CPU of a member is without that. "
    "bound = rounds x measured time to post and fetch messages of the same size + CPU of all members; ÷ = mix / bound. "
    "KiB sent: by the member that sends most."
)

WIDTH = 120
"""Columns that the table needs."""

app = typer.Typer(no_args_is_help=True, help="What a mix costs, and who broke it.")


@app.command()
def bench(
    engine: Annotated[str, typer.Option(help="coinshuffle, dicemix, or both, separated by commas.")] = "coinshuffle",
    peers: Annotated[
        str, typer.Option(help="Sizes of the sessions, separated by commas; dicemix:100 is for that engine alone.")
    ] = "5,10,20",
    transport: Annotated[
        str, typer.Option(help="Out of memory, http (both NOT ANONYMOUS) and tor, separated by commas.")
    ] = "memory",
    onion_dir: Annotated[
        Path | None, typer.Option(help="For tor: the folder of a running private network; one is started if not given.")
    ] = None,
    silent: Annotated[int, typer.Option(min=0, help="Members that never post, so that the others restart.")] = 0,
    cheat: Annotated[
        str, typer.Option(help="A member deviates: equivocate, wrong-length, garble, refuse-to-sign, wrong-signature.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Where to keep the log of the last session, for the judge.")] = None,
) -> None:
    """Mix throw-away notes and say what it took, and the least that it could have taken."""
    with one_sentence_errors():
        from rich.console import Console
        from rich.table import Table

        from mixer.engines import engine_named
        from petra.mix_bench import HEADER, measure
        from petra.mix_cheats import DEVIATIONS
        from petra.transports import NAMES, open_transport

        if cheat and cheat not in DEVIATIONS:
            raise ValueError(f"--cheat {cheat!r} is unknown; there are {', '.join(DEVIATIONS)}")
        ways, engines = transport.split(","), [engine_named(name).name for name in engine.split(",")]
        sizes = [(name, size) for name in engines for size in _sizes(peers, name)]
        unknown = [name for name in ways if name not in NAMES]
        if unknown:
            raise ValueError(f"--transport {unknown[0]!r} is unknown; there are memory, http and tor")
        if "tor" in ways:
            typer.echo("Throw-away keys. All relays of the private Tor network are on one machine.")
        if ways != ["tor"]:
            typer.echo("NOT ANONYMOUS: in memory and over http, whoever carries messages sees who sends them.")
        table = Table(title="a mix", title_justify="left", caption=NOTE, caption_justify="left")
        for name in HEADER:
            table.add_column(name, justify="right", no_wrap=True)
        for way in ways:
            with open_transport(way, onion_dir, say=_say, any_session=True) as open_way:
                for name, size in sizes:
                    last = (way, name, size) == (ways[-1], *sizes[-1])
                    row = measure(
                        open_way, name, size, silent, out if last else None, cheat, _tell if cheat else _be_quiet
                    )
                    _say(f"{name}, {size} members over {way}: {row.seconds:.2f} s")
                    table.add_row(*row.cells())
        Console(width=max(Console().width, WIDTH)).print(table)


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
            opening=read.opening,
        )
        for line in _sentences(read.session, verdict):
            typer.echo(line)
    if verdict.mixed is None or verdict.guilty:
        raise typer.Exit(1)


def _tell(table: "MixTable", played: "Played") -> None:
    """Say what the judge makes of a session."""
    from mixer.judge import judge as judge_log

    engine, session, rules = table.engine, table.session, table.rules
    start_s, until_s, opening = played.start_s, played.ended_s, played.opening
    verdict = judge_log(engine, session, rules, played.log, start_s=start_s, until_s=until_s, opening=opening)
    for line in _sentences(session, verdict):
        typer.echo(line)


def _be_quiet(table: "MixTable", played: "Played") -> None:
    """Say nothing."""


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _sizes(peers: str, engine: str) -> list[int]:
    """The sizes that are for this engine."""
    sizes = []
    for text in peers.split(","):
        name, colon, size = text.strip().rpartition(":")
        if not size.isdecimal() or (colon and not name):
            raise ValueError(f"--peers: {text!r} is no number; write 5,10,20, or dicemix:100 for one engine alone")
        if not colon or name == engine:
            sizes.append(int(size))
    return sizes


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
