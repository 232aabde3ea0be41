"""``petra meter probe|simulate``: find out what a device is, and play measured homes as a Modbus device."""

import asyncio
import logging
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from petra.commands import meter_run
from petra.commands.errors import one_sentence_errors
from petra.commands.stopping import stop_event

app = typer.Typer(no_args_is_help=True, help="Smart meters: find devices, simulate them, run a home's meter.")
for command in (
    meter_run.init,
    meter_run.run,
    meter_run.status,
    meter_run.withdraw,
    meter_run.statement,
    meter_run.verify,
    meter_run.export,
):
    app.command()(command)

ProfileDir = Annotated[Path | None, typer.Option(help="Folder with further profiles, one TOML file per model.")]


@app.command()
def probe(
    host: Annotated[str, typer.Argument(help="Name or address of the device or gateway.")],
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 502,
    device_id: Annotated[int, typer.Option(min=1, max=247, help="Modbus id of the device.")] = 1,
    profile_dir: ProfileDir = None,
    record: Annotated[
        Path | None, typer.Option(help="Write the registers that the first fitting profile reads to this file.")
    ] = None,
) -> None:
    """Say what answers, and which profiles fit its registers."""
    from smartmeter.analyser import Analyser, Link, Presence
    from smartmeter.analyser import probe as probe_device
    from smartmeter.dump import Recorder, to_toml
    from smartmeter.profile import load_all
    from smartmeter.sunspec import identify

    async def run() -> tuple[Presence, list[str]]:
        profiles = load_all(profile_dir)
        link = Link.tcp(host, port)
        lines: list[str] = []
        try:
            presence = await link.presence(device_id)
            if presence is not Presence.ANSWERS:
                return presence, []
            about = await identify(lambda address, count: link.read(3, address, count, device_id))
            if about is not None:
                typer.echo(about)
            for name in await probe_device(link, profiles, device_id):
                recorder = Recorder(link)
                sample = await Analyser(recorder, profiles[name], device_id).sample()
                if record is not None and not lines:
                    source = f"{profiles[name].vendor} {profiles[name].model}, recorded with petra meter probe"
                    record.write_text(to_toml(recorder.dump(name, sample, source)), encoding="utf-8")
                lines.append(f"{name}: import {sample.import_wh} Wh, export {sample.export_wh} Wh")
        finally:
            link.close()
        return presence, lines

    _hush()
    with one_sentence_errors():
        presence, fitting = asyncio.run(run())
    for line in fitting:
        typer.echo(line)
    if not fitting:
        at = f"{host}:{port}"
        why = {
            Presence.NOBODY: f"nobody listens at {at}; check address, port and network",
            Presence.SILENT: f"{at} is there, and device {device_id} does not answer; check its id and its wiring",
            Presence.ANSWERS: f"device {device_id} at {at} answers, and fits no profile; write one (docs/meter.md)",
        }
        typer.echo(f"petra: {why[presence]}", err=True)
        raise typer.Exit(2)


@app.command()
def simulate(
    profiles: Annotated[Path, typer.Option(help="Measured homes: interval_start,home,load_wh,pv_wh.")],
    profile: Annotated[str, typer.Option(help="Model to imitate.")] = "sdm630",
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 5020,
    speed: Annotated[int, typer.Option(min=1, help="Seconds of the file per second.")] = 1,
    genesis: Annotated[
        int | None,
        typer.Option(min=0, help="When the file's first interval begins, Unix seconds by the clock. Default: now."),
    ] = None,
    profile_dir: ProfileDir = None,
) -> None:
    """Play measured homes as Modbus devices: the first home has id 1, the next id 2.

    With --genesis the counters depend on the clock alone, so that a device that is started again goes on as if it had
    never ended. The clock is the machine's, or the one that PETRA_CLOCK names; by that one the file's first interval
    begins at its own date, read as UTC, unless --genesis says otherwise. Counters are 0 before it.
    """
    from petra.homes.csv_profiles import read_profiles
    from smartmeter.clock import MachineClock, world_clock
    from smartmeter.profile import load_all
    from smartmeter.simulator import Counters, device, played, server

    async def run() -> None:
        known = load_all(profile_dir)
        if profile not in known:
            raise ValueError(f"there is no profile {profile!r}; choose one of {', '.join(sorted(known))}")
        homes = read_profiles(profiles)
        clock = world_clock()
        begin_s = genesis
        if begin_s is None and not isinstance(clock, MachineClock):
            begin_s = int(homes.start.replace(tzinfo=UTC).timestamp())
        if begin_s is not None and speed != 1:
            raise ValueError("--speed is for files played from now on; with --genesis or PETRA_CLOCK the clock has one")
        start_ms = clock.steady_ms() if begin_s is None else begin_s * 1000

        def elapsed_s() -> float:
            if begin_s is None:
                return (clock.steady_ms() - start_ms) * speed / 1000
            return max(0, clock.now_ms() - start_ms) / 1000

        def counters(net_wh: tuple[int, ...]) -> Counters:
            return lambda: played(net_wh, homes.interval_s, elapsed_s())

        if len(homes.homes) > 247:
            raise ValueError(f"{profiles} has {len(homes.homes)} homes; one Modbus address has at most 247 devices")
        devices = [device(known[profile], counters(home.net_wh), i) for i, home in enumerate(homes.homes, 1)]
        stop = stop_event()
        listening = server(devices, host, port)
        try:
            await listening.serve_forever(background=True)
        except RuntimeError:
            raise ValueError(f"nothing can listen at {host}:{port}; another program does, or it is not here") from None
        typer.echo(f"{len(devices)} x {profile} at {host}:{port}; stop with Ctrl-C")
        await stop.wait()
        listening.close()

    _hush()
    with one_sentence_errors():
        asyncio.run(run())


def _hush() -> None:
    """pymodbus logs whatever happens on a line; a user is told what it means."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)
