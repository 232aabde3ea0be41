"""A meter with bills, its committer, and what a verifier expects of it."""

import pytest

from assets.commitments.groups import GROUPS
from assets.commitments.verification import Expected
from assets.keys import Address, ThrowAwayKeys
from assets.transactions import Domain
from smartmeter.billing import bill_interval
from smartmeter.commitments.blinding import BlindingSecret
from smartmeter.commitments.book import CommitmentBook
from smartmeter.commitments.committer import Committer
from smartmeter.commitments.price_guard import PriceGuard


class Home:
    """A committer with its parts."""

    def __init__(self, group="secp256k1", path=":memory:", meter=7, guard=1, domain=None):
        self.domain, self.meter, self.path = domain or Kit.DOMAIN, meter, path
        self.group = GROUPS[group]
        self.key = ThrowAwayKeys(meter, "statements").fresh()
        self.guard = PriceGuard(guard)
        self.open()

    def open(self):
        self.secret = BlindingSecret(bytes([self.meter]) * 32, self.domain, self.group, self.meter)
        self.book = CommitmentBook(self.path, self.meter, self.domain.separator, self.group.name)
        self.committer = Committer(self.meter, self.key, self.secret, self.domain, self.group, self.book, self.guard)

    def bills(self, residuals_wh, first=0, **fields):
        return [Kit.bill(first + i, e, meter=self.meter, **fields) for i, e in enumerate(residuals_wh)]

    def publish(self, residuals_wh, first=0, sheet=3, **fields):
        """Commit to the bills in sheets of three intervals, and state the whole."""
        records = self.bills(residuals_wh, first, **fields)
        for at in range(0, len(records), sheet):
            self.committer.commit(records[at : at + sheet])
        return self.committer.state(first, records[-1].t)

    def expected(self, publication, **changed):
        """What an honest verifier knows: for tests, from an honest statement."""
        s = publication.statement.statement
        known = {
            "domain": self.domain,
            "group": self.group,
            "meter": self.meter,
            "key": self.key.address,
            "nonce": s.nonce,
            "first": s.first,
            "prices": s.prices,
            "fa_withdrawn_nano": s.fa_withdrawn_nano,
        }
        return Expected(**{**known, **changed})


class Kit:
    """What tests build with."""

    DOMAIN = Domain(1, Address(bytes(19) + b"\x01"))
    HIGH, LOW = (240_000, 90_000), (150_000, 60_000)
    Home = Home

    @staticmethod
    def bill(t, residual_wh, meter=7, level=None, fa=(1000, 600)):
        """A bill; two tariffs take turns every two intervals unless a level is given."""
        consumption, production = level or (Kit.HIGH if t % 4 < 2 else Kit.LOW)
        return bill_interval(
            meter=meter,
            t=t,
            measured_wh=residual_wh,
            fa_withdrawn_nano=fa[0],
            fa_deposited_nano=fa[1],
            consumption_nano_per_wh=consumption,
            production_nano_per_wh=production,
        )


@pytest.fixture(scope="session")
def kit():
    return Kit


@pytest.fixture(params=sorted(GROUPS))
def home(request):
    home = Home(request.param)
    yield home
    home.book.close()
