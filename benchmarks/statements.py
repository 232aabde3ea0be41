"""Private statements of a month of quarter-hours: committing, opening and verifying, in seconds and bytes.

Making the commitments of 4 000 homes takes as many meters; here a few homes are made and verified in turn. Nothing of
a verification is kept for the next one but the prices of the period, which are the same for all homes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from coincurve import PrivateKey, PublicKey

from assets.commitments.codec import publication_bytes
from assets.commitments.group import Group
from assets.commitments.groups import BN128, SECP256K1
from assets.commitments.sheet import PAIR_BYTES
from assets.commitments.verification import Expected, verify_statement
from assets.hashing import keccak
from assets.keys import SigningKey
from assets.transactions import Domain
from benchmarks.neighbourhood import DOMAIN
from benchmarks.row import Reference, Row
from benchmarks.sizes import Sizes
from benchmarks.timer import again, medians_s
from smartmeter.billing import BillingRecord, bill_interval
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import CommitmentBook
from smartmeter.commitments.committer import Committer, Publication
from smartmeter.commitments.price_guard import PriceGuard

DAY = 96
"""Intervals of a sheet."""

HOMES_MADE = 4
"""Different homes whose statements are verified in turn."""

CHUNK = 100
"""Homes that are verified without a pause."""

PLAIN_BYTES = 4 + 8 + 65
"""A reading reported in the clear, every interval: its index, its value, the meter's signature."""

PUBLISHED_S = 300.0
"""The slower end of what is published for a private settlement of 4 000 users: 0.18 s to 5 min (arXiv 2404.15886)."""


@dataclass(frozen=True, slots=True)
class Home:
    """One meter and its month."""

    number: int
    key: SigningKey
    records: tuple[BillingRecord, ...]


def rows(sizes: Sizes) -> list[Row]:
    """One home as it commits and states, then more and more homes at the DSO."""
    homes = [home_of(number, sizes.statement_intervals) for number in range(1, HOMES_MADE + 1)]
    published = [publish(SECP256K1, home) for home in homes]
    on_chain = publish(BN128, homes[0])
    month = f"{sizes.statement_intervals:,} intervals"
    commit_s, bare_commit_s = medians_s(
        1, again(publish, SECP256K1, homes[0]), again(_bare_commitments, 4 * sizes.statement_intervals)
    )
    points = b"".join(signed.sheet.points for signed in published[0].sheets)
    plain = Reference("plain signed readings", sizes.statement_intervals * PLAIN_BYTES / 1000)
    size = len(points) / 1000
    json_size = len(publication_bytes(SECP256K1, published[0].sheets, published[0].statement)) / 1000
    verify, bare = partial(_verify_all, SECP256K1, homes, published), partial(_add_all, points)
    bare_commitments = Reference("coincurve, its multiplications", bare_commit_s)
    result = [
        Row(f"1 meter commits to and states {month}", commit_s, "s", 1, bare_commitments),
        Row(f"commitments of {month}", size, "kB", 1, plain),
        Row("the same as a file of the command line", json_size, "kB", 1, plain),
    ]
    chain_s, one_s = medians_s(sizes.runs, again(_verify_all, BN128, homes[:1], [on_chain], 1), again(verify, 1))
    name = "1 home verified on alt_bn128, off the chain"
    result.append(Row(name, chain_s, "s", sizes.runs, Reference("the same on secp256k1", one_s)))
    for count in sizes.statement_homes:
        verify_s, bare_s = _in_turns(verify, bare, count, sizes.runs)
        reference = Reference("coincurve, its additions alone", bare_s)
        name = f"{count:,} home{'s' * (count > 1)} verified, {count * size / 1000:,.1f} MB of commitments"
        result.append(Row(name, verify_s, "s", _runs(count, sizes.runs), reference))
    published_s = Reference("published, from 0.18 s to 300 s", PUBLISHED_S)
    result.append(Row(f"the same, of {count:,} homes", verify_s, "s", _runs(count, sizes.runs), published_s))
    return result


def _runs(count: int, runs: int) -> int:
    return runs if count == 1 else 1


def _in_turns(verify: Callable[[int], None], bare: Callable[[int], None], count: int, runs: int) -> tuple[float, float]:
    """Seconds for ``count`` homes: a hundred at a time, with a tenth of the reference's work in between."""
    if count < CHUNK:
        verify_s, bare_s = medians_s(_runs(count, runs), again(verify, count), again(bare, count))
        return verify_s, bare_s
    total_s = [0.0, 0.0]
    for _ in range(count // CHUNK):
        for place, taken_s in enumerate(medians_s(1, again(verify, CHUNK), again(bare, CHUNK // 10))):
            total_s[place] += taken_s
    return total_s[0], 10 * total_s[1]


def home_of(number: int, intervals: int) -> Home:
    """Readings from a hash; prices change twice a day."""
    records = []
    for t in range(intervals):
        drawn = int.from_bytes(keccak(b"PETra benchmarks: reading" + bytes([number]) + t.to_bytes(4, "big"))[:2], "big")
        dear = DAY // 3 <= t % DAY < 5 * DAY // 6
        records.append(
            bill_interval(
                meter=number,
                t=t,
                measured_wh=drawn % 2000 - 600,
                fa_withdrawn_nano=1000,
                fa_deposited_nano=900,
                consumption_nano_per_wh=240_000 if dear else 180_000,
                production_nano_per_wh=90_000,
            )
        )
    return Home(number, SigningKey(keccak(b"PETra benchmarks: meter" + bytes([number]))), tuple(records))


def publish(group: Group, home: Home, domain: Domain = DOMAIN) -> Publication:
    """All that a meter does in a month."""
    secret = BlindingSecret(keccak(bytes([home.number])), domain, group, home.number)
    book = CommitmentBook(":memory:", home.number, domain.separator, group.name)
    committer = Committer(home.number, home.key, secret, domain, group, book, PriceGuard(1))
    committer.commit_all(home.records, DAY)
    publication = committer.state(0, len(home.records) - 1)
    book.close()
    return publication


def _verify_all(group: Group, homes: Sequence[Home], published: Sequence[Publication], count: int) -> None:
    """Verify ``count`` statements, the homes in turn."""
    for at in range(count):
        home, publication = homes[at % len(homes)], published[at % len(homes)]
        s = publication.statement.statement
        expected = Expected(
            domain=DOMAIN,
            group=group,
            meter=home.number,
            key=home.key.address,
            nonce=0,
            first=0,
            prices=s.prices,
            fa_withdrawn_nano=1000 * len(home.records),
        )
        verify_statement(publication.statement, [signed.sheet for signed in publication.sheets], expected)


def _add_all(points: bytes, count: int) -> None:
    """Read and add the commitments of ``count`` homes, and nothing else."""
    for _ in range(count):
        PublicKey.combine_keys(
            [PublicKey(b"\x04" + points[at : at + PAIR_BYTES // 2]) for at in range(0, len(points), PAIR_BYTES // 2)]
        )


def _bare_commitments(count: int) -> None:
    """One multiplication of the standard generator for each commitment. A meter makes each twice: see the docs."""
    for number in range(count):
        PrivateKey(keccak(number.to_bytes(8, "big")))
