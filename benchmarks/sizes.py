"""How much is measured: enough for a stable median, or just enough to see that a benchmark still runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of all benchmarks."""

    runs: int
    """How often everything is timed; the table has the median."""
    signatures: int
    """Signatures, and digests, of one timed run."""
    trades: int
    """Trades that are submitted to a ledger at once."""
    homes: int
    """Homes whose notes are withdrawn, mixed, traded and deposited on the contract."""
    peers: tuple[int, ...]
    """Sizes of mix sessions."""
    dicemix_peers: tuple[int, ...]
    """Sizes of DiceMix sessions, each beside a CoinShuffle session as large."""
    dicemix_runs: int
    """How often these are timed: the largest take seconds."""
    orders: tuple[int, ...]
    """Asks and bids together in one auction."""
    crossings: tuple[int, ...]
    """The same on arrays."""
    posted: int
    """Orders posted to a bid store."""
    post_runs: int
    plan_homes: int
    plan_intervals: int
    plan_runs: int
    audited_homes: int
    audited_intervals: int
    profile_homes: int
    profile_days: int
    polled: tuple[int, ...]
    """Meters that one process polls."""
    power_flows: int
    """Power flows of one batch."""
    statement_intervals: int
    """Intervals of a period that is stated."""
    statement_homes: tuple[int, ...]
    """How many homes' statements the DSO verifies."""
    feeder_homes: int
    community_homes: int
    """Homes of a large simulated community."""
    community_runs: int


FULL = Sizes(
    runs=7,
    signatures=400,
    trades=60,
    homes=18,
    peers=(5, 18, 50),
    dicemix_peers=(10, 20, 50, 100),
    dicemix_runs=3,
    orders=(1_000, 10_000, 100_000),
    crossings=(1_000, 100_000, 1_000_000),
    posted=2_000,
    post_runs=3,
    plan_homes=102,
    plan_intervals=96,
    plan_runs=3,
    audited_homes=12,
    audited_intervals=4,
    profile_homes=17,
    profile_days=184,
    polled=(2, 50, 500),
    power_flows=35_040,
    statement_intervals=2976,
    statement_homes=(1, 100, 4_000),
    feeder_homes=30,
    community_homes=256,
    community_runs=3,
)
"""The table's. The homes of the default community; the file's are those of the measured homes of Fontana."""

TINY = Sizes(
    runs=1,
    signatures=3,
    trades=2,
    homes=2,
    peers=(2, 3),
    dicemix_peers=(2, 3),
    dicemix_runs=1,
    orders=(4, 11),
    crossings=(4, 11),
    posted=6,
    post_runs=1,
    plan_homes=6,
    plan_intervals=8,
    plan_runs=1,
    audited_homes=2,
    audited_intervals=1,
    profile_homes=2,
    profile_days=1,
    polled=(2,),
    power_flows=3,
    statement_intervals=5,
    statement_homes=(1, 3),
    feeder_homes=10,
    community_homes=8,
    community_runs=1,
)
"""For tests: every line runs, no figure means anything."""
