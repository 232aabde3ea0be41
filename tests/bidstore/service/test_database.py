"""The database: migrations make the tables that the code uses, and one replica leads at a time."""

import asyncio
import json

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from typer.testing import CliRunner

from bidstore.service.database import engine_of, leadership, migrate
from bidstore.service.tables import METADATA
from petra.cli import app


async def differences(url: str) -> list:
    engine = engine_of(url)
    try:
        await migrate(engine)
        await migrate(engine)  # again is no harm

        def compare(connection):
            context = MigrationContext.configure(connection, opts={"version_table": "bid_version"})
            return compare_metadata(context, METADATA)

        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path) -> None:
    assert asyncio.run(differences(str(tmp_path / "b.db"))) == []


def test_they_do_so_on_postgresql(postgres_url) -> None:
    assert asyncio.run(differences(postgres_url)) == []


def test_one_replica_leads_and_another_when_its_session_ends(postgres_url) -> None:
    async def play():
        engines = engine_of(postgres_url), engine_of(postgres_url)
        async with leadership(engines[0]) as first, leadership(engines[1]) as second:
            assert first is not None
            assert second is None
            await first.check()
        async with leadership(engines[1]) as second:
            assert second is not None
        for engine in engines:
            await engine.dispose()

    asyncio.run(play())


@pytest.mark.parametrize("url", ["mysql://x/y", "redis://x"])
def test_a_database_of_another_kind_is_refused_with_a_sentence(url) -> None:
    with pytest.raises(ValueError, match="in a file or at postgresql"):
        engine_of(url)


def test_export_tells_from_what_anybody_can_hold_the_auction_again(service, market, tmp_path) -> None:
    from bidstore.auction import Order, clear

    async def play():
        async with service() as s:
            for order in (market.sale(100), market.sale(100), market.sale(900), market.purchase(200)):
                await s.post(order)
            s.close_gate()
            await s.operator.tick()

    asyncio.run(play())
    out = tmp_path / "book.jsonl"
    result = CliRunner().invoke(app, ["bidstore", "export", "--database", str(tmp_path / "bids.db"), "--out", str(out)])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    (held,) = [line for line in lines if line["type"] == "auction"]
    units = {"SELL": [], "BUY": []}
    for line in lines:
        if line["type"] == "order":
            owner, order_id = bytes.fromhex(line["owner"][2:]), bytes.fromhex(line["id"][2:])
            units[line["side"]].append(Order(line["limit_nano_per_wh"], owner, order_id))
    again = clear(units["SELL"], units["BUY"], bytes.fromhex(held["seed"][2:]))
    assert again.price_nano_per_wh == held["price_nano_per_wh"] == 100
    (fill,) = [line for line in lines if line["type"] == "fill"]
    assert [("0x" + a.reference.hex(), "0x" + b.reference.hex()) for a, b in again.pairs] == [
        (fill["sell"], fill["buy"])
    ]


@pytest.mark.parametrize(
    ("database", "says"),
    [
        ("none.db", "is no file"),
        ("no.db", "file is not a database"),
        ("empty.db", "no such table"),
        ("postgresql://petra@127.0.0.1:1/x", "refused"),
        ("mysql://x/y", "in a file or at postgresql"),
    ],
)
def test_export_of_what_is_no_book_is_one_sentence(tmp_path, monkeypatch, database, says) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no.db").write_bytes(b"no database" * 99)
    (tmp_path / "empty.db").touch()
    result = CliRunner().invoke(app, ["bidstore", "export", "--database", database])
    assert result.exit_code == 2
    assert says in result.output
    assert len(result.output.splitlines()) == 1
