"""The first tables: orders, holds, fills, auctions, challenges, rates, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bid_order",
        sa.Column("arrival", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("id", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("side", sa.Integer, nullable=False),
        sa.Column("energy", sa.LargeBinary(32), nullable=False),
        sa.Column("owner", sa.LargeBinary(20), nullable=False),
        sa.Column("nonce", sa.Integer, nullable=False),
        sa.Column("power_w", sa.BigInteger, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("limit_nano_per_wh", sa.BigInteger, nullable=False),
        sa.Column("lapses_s", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(9), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("returned", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("bid_order_status_start", "bid_order", ["status", "start"])
    op.create_index("bid_order_status_lapses", "bid_order", ["status", "lapses_s"])
    op.create_index("bid_order_owner", "bid_order", ["owner"])
    op.create_table(
        "bid_hold",
        sa.Column("note", sa.LargeBinary(32), primary_key=True),
        sa.Column("order_id", sa.LargeBinary(32), nullable=False, index=True),
    )
    op.create_table(
        "bid_fill",
        sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("sell", sa.LargeBinary(32), nullable=False, index=True),
        sa.Column("buy", sa.LargeBinary(32), nullable=False, index=True),
        sa.Column("power_w", sa.BigInteger, nullable=False),
        sa.Column("price_nano_per_wh", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(9), nullable=False, index=True),
        sa.Column("sent_s", sa.BigInteger),
    )
    op.create_table(
        "bid_auction",
        sa.Column("power_w", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("seed", sa.LargeBinary(32), nullable=False),
        sa.Column("volume", sa.Integer, nullable=False),
        sa.Column("low", sa.BigInteger),
        sa.Column("high", sa.BigInteger),
        sa.Column("price_nano_per_wh", sa.BigInteger),
    )
    op.create_table(
        "bid_challenge",
        sa.Column("id", sa.LargeBinary(32), primary_key=True),
        sa.Column("used_s", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "bid_rate",
        sa.Column("note", sa.LargeBinary(32), primary_key=True),
        sa.Column("window", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
    )
    for name in ("bid_event", "bid_batch"):
        op.create_table(
            name,
            sa.Column("seq", _SERIAL, primary_key=True, autoincrement=True),
            sa.Column("body", sa.String, nullable=False),
        )
    op.create_table(
        "bid_meta",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables, and all orders with them."""
    for name in (
        "bid_meta",
        "bid_batch",
        "bid_event",
        "bid_rate",
        "bid_challenge",
        "bid_auction",
        "bid_fill",
        "bid_hold",
        "bid_order",
    ):
        op.drop_table(name)
