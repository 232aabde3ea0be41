"""The bid store's tables. Changes go through :mod:`bidstore.service.migrations`."""

try:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table
except ImportError as error:
    raise ImportError("the bid store's service needs SQLAlchemy; run: pip install 'petra[service]'") from error

METADATA = MetaData()

SERIAL = BigInteger().with_variant(Integer, "sqlite")

ORDERS = Table(
    "bid_order",
    METADATA,
    Column("arrival", SERIAL, primary_key=True, autoincrement=True),
    Column("id", LargeBinary(32), nullable=False, unique=True),
    Column("side", Integer, nullable=False),
    Column("energy", LargeBinary(32), nullable=False),
    Column("owner", LargeBinary(20), nullable=False),
    Column("nonce", Integer, nullable=False),
    Column("power_w", BigInteger, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("limit_nano_per_wh", BigInteger, nullable=False),
    Column("lapses_s", BigInteger, nullable=False),
    Column("status", String(9), nullable=False),
    Column("reason", String(200)),
    Column("returned", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("bid_order_status_start", "status", "start"),
    Index("bid_order_status_lapses", "status", "lapses_s"),
    Index("bid_order_owner", "owner"),
)
"""Orders. ``returned``: 1 for one whose match failed, so that its class is cleared again."""

HOLDS = Table(
    "bid_hold",
    METADATA,
    Column("note", LargeBinary(32), primary_key=True),
    Column("order_id", LargeBinary(32), nullable=False, index=True),
)
"""Which open or matched order holds a note. The primary key is what forbids two orders over one note."""

FILLS = Table(
    "bid_fill",
    METADATA,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("sell", LargeBinary(32), nullable=False, index=True),
    Column("buy", LargeBinary(32), nullable=False, index=True),
    Column("power_w", BigInteger, nullable=False),
    Column("price_nano_per_wh", BigInteger, nullable=False),
    Column("state", String(9), nullable=False, index=True),
    Column("sent_s", BigInteger),
)
"""Matches. ``state``: pending, settled or failed. ``sent_s``: ledger time at which the ledger took it, if it did."""

AUCTIONS = Table(
    "bid_auction",
    METADATA,
    Column("power_w", BigInteger, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("end", BigInteger, primary_key=True, autoincrement=False),
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("seed", LargeBinary(32), nullable=False),
    Column("volume", Integer, nullable=False),
    Column("low", BigInteger),
    Column("high", BigInteger),
    Column("price_nano_per_wh", BigInteger),
)
"""Auctions that were held: one row for each class and round."""

CHALLENGES = Table(
    "bid_challenge",
    METADATA,
    Column("id", LargeBinary(32), primary_key=True),
    Column("used_s", BigInteger, nullable=False, index=True),
)
"""Used challenges."""

RATES = Table(
    "bid_rate",
    METADATA,
    Column("note", LargeBinary(32), primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
)
"""Postings and cancellations of a note in a window of ledger time."""

EVENTS = Table(
    "bid_event",
    METADATA,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("body", String, nullable=False),
)
"""Changes of the book that no batch has carried yet."""

BATCHES = Table(
    "bid_batch",
    METADATA,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("body", String, nullable=False),
)
"""Batches of changes, as every reader gets them."""

META = Table(
    "bid_meta",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
"""The replicas' shared secret, the ledger they belong to, and how far the ledger was followed."""
