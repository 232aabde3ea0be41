"""Real Modbus over TCP: an independent client reads the simulator, and the meter reads two standards at once."""

import asyncio
import os
import pty
import select
import socket
import subprocess
import threading
import tty

import pytest

from smartmeter.analyser import Analyser, Link, Unreachable, probe
from smartmeter.profile import built_in, load_all
from smartmeter.simulator import device, played, server
from tests.e2e.conftest import program

PROFILES = built_in()
IMPORTED, EXPORTED = 1_000_500, 12_300


def free_port() -> int:
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        return int(probe_socket.getsockname()[1])


def test_mbpoll_reads_the_sdm630_at_its_documented_addresses() -> None:
    mbpoll = program("mbpoll", "mbpoll is missing; run: apt-get install mbpoll")

    async def run() -> str:
        port = free_port()
        running = server([device(PROFILES["sdm630"], lambda: (IMPORTED, EXPORTED))], "127.0.0.1", port)
        await running.serve_forever(background=True)
        command = [
            mbpoll,
            *["-m", "tcp", "-a", "1", "-0", "-r", "72", "-c", "2", "-t", "3:float", "-B", "-1", "-p"],
            str(port),
            "127.0.0.1",
        ]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=20)
        await running.shutdown()
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    output = asyncio.run(run())
    assert "[72]: \t1000.5" in output
    assert "[74]: \t12.3" in output


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_every_profile_reads_what_its_simulator_counted(name: str) -> None:
    async def run() -> None:
        port = free_port()
        running = server([device(PROFILES[name], lambda: (IMPORTED, EXPORTED))], "127.0.0.1", port)
        await running.serve_forever(background=True)
        link = Link.tcp("127.0.0.1", port)
        sample = await Analyser(link, PROFILES[name]).sample()
        fitting = await probe(link, PROFILES)
        link.close()
        await running.shutdown()
        assert (sample.import_wh, sample.export_wh) == (IMPORTED, EXPORTED)
        assert name in fitting

    asyncio.run(run())


def test_a_sunspec_and_an_sdm630_are_read_at_once_and_a_dead_one_stops_neither() -> None:
    async def run() -> None:
        ports = [free_port(), free_port()]
        running = [
            server([device(PROFILES[name], lambda: (IMPORTED, EXPORTED))], "127.0.0.1", port)
            for name, port in zip(("sunspec-203", "sdm630"), ports, strict=True)
        ]
        for one in running:
            await one.serve_forever(background=True)
        links = [Link.tcp("127.0.0.1", port) for port in (*ports, free_port())]
        analysers = [
            Analyser(link, PROFILES[name]) for link, name in zip(links, ("sunspec-203", "sdm630", "em24"), strict=True)
        ]
        sunspec, sdm, dead = await asyncio.gather(*(a.sample() for a in analysers), return_exceptions=True)
        for link in links:
            link.close()
        for one in running:
            await one.shutdown()
        assert not isinstance(sunspec, BaseException)
        assert not isinstance(sdm, BaseException)
        assert sunspec.import_wh == sdm.import_wh == IMPORTED
        assert isinstance(dead, Unreachable)

    asyncio.run(run())


def test_a_home_is_played_at_constant_power_within_an_interval() -> None:
    assert played([100, -50, 20], 3600, 0) == (0, 0)
    assert played([100, -50, 20], 3600, 1800) == (50, 0)
    assert played([100, -50, 20], 3600, 5400) == (100, 25)
    assert played([100, -50, 20], 3600, 99_999) == (120, 50)
    assert load_all() == built_in()


def test_a_serial_line_is_read_in_rtu_frames() -> None:
    from pymodbus.server import ModbusSerialServer

    ends = [pty.openpty(), pty.openpty()]
    for descriptor in (fd for pair in ends for fd in pair):
        tty.setraw(descriptor)
    over = threading.Event()

    def carry(source: int, target: int) -> None:
        """One direction of the wire."""
        while not over.is_set():
            if select.select([source], [], [], 0.05)[0]:
                os.write(target, os.read(source, 4096))

    (a, a_end), (b, b_end) = ends
    wires = [threading.Thread(target=carry, args=pair) for pair in ((a, b), (b, a))]
    for wire in wires:
        wire.start()

    async def run() -> tuple[int, int]:
        profile = PROFILES["em340"]
        devices = [device(profile, lambda: (IMPORTED, EXPORTED), 7)]
        running = ModbusSerialServer(devices, port=os.ttyname(a_end), baudrate=9600)
        await running.serve_forever(background=True)
        link = Link.rtu(os.ttyname(b_end))
        try:
            sample = await Analyser(link, profile, 7).sample()
        finally:
            link.close()
            await running.shutdown()
        return sample.import_wh, sample.export_wh

    try:
        assert asyncio.run(run()) == (IMPORTED, EXPORTED)
    finally:
        over.set()
        for wire in wires:
            wire.join()
        for descriptor in (fd for pair in ends for fd in pair):
            os.close(descriptor)
