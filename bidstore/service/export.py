"""What the store did, as plain records: every auction with its seed, every order's terms and end."""

from collections.abc import AsyncIterator

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from assets.orders import Side
from bidstore.service.database import reason
from bidstore.service.store import Store
from bidstore.service.tables import AUCTIONS, FILLS, ORDERS
from bidstore.service.wire import hex_of


async def lines(store: Store) -> AsyncIterator[dict[str, object]]:
    """Auctions, orders in the order of their ids (which says nothing of arrival), and matches.

    Raises ``ConnectionError`` for a database that cannot be read, or that holds no book.
    """
    by_class = (AUCTIONS.c.start, AUCTIONS.c.end, AUCTIONS.c.power_w, AUCTIONS.c.round)
    try:
        auctions = await store.rows(select(AUCTIONS).order_by(*by_class))
    except (DBAPIError, OSError) as error:
        raise ConnectionError(f"the database holds no book that can be read: {reason(error)}") from error
    for row in auctions:
        yield {"type": "auction", **row._asdict(), "seed": hex_of(bytes(row.seed))}
    columns = (
        ORDERS.c.id,
        ORDERS.c.side,
        ORDERS.c.owner,
        ORDERS.c.power_w,
        ORDERS.c.start,
        ORDERS.c.end,
        ORDERS.c.limit_nano_per_wh,
        ORDERS.c.status,
        ORDERS.c.reason,
    )
    for row in await store.rows(select(*columns).order_by(ORDERS.c.id)):
        ids = {"id": hex_of(bytes(row.id)), "owner": hex_of(bytes(row.owner)), "side": Side(row.side).name}
        yield {"type": "order", **row._asdict(), **ids}
    for row in await store.rows(select(FILLS).order_by(FILLS.c.seq)):
        pair = {"sell": hex_of(bytes(row.sell)), "buy": hex_of(bytes(row.buy))}
        yield {"type": "fill", **pair, "price_nano_per_wh": row.price_nano_per_wh, "state": row.state}
