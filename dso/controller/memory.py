"""What the controller remembers from one command to the next: price levels, and what it leaves of the limits."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """The last day that was planned. Planned again, a day starts from the levels before it: no level moves twice."""

    first: int = 0
    """First interval of the day."""
    before: Mapping[int, int] = field(default_factory=dict)
    """Price level by time of day, before the day was planned."""
    after: Mapping[int, int] = field(default_factory=dict)
    limit_permille: Mapping[int, int] = field(default_factory=dict)
    """What may be issued of the ECA limits, by interval, in thousandths."""

    @classmethod
    def read(cls, path: Path) -> "Memory":
        """What is in ``path``; an empty memory if there is no file. Raises ``ValueError`` for a damaged one."""
        if not path.exists():
            return cls()
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            maps = ({int(k): int(v) for k, v in found[name].items()} for name in ("before", "after", "limit_permille"))
            return cls(int(found["first"]), *maps)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            why = f"{path} is damaged; restore it, or delete it: levels then start from the tariff"
            raise ValueError(why) from error

    def write(self, path: Path) -> None:
        """Replace what is in ``path``, at once or not at all."""
        text = json.dumps({"first": self.first, "before": dict(self.before), "after": dict(self.after),
                           "limit_permille": dict(self.limit_permille)})  # fmt: skip
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def levels(self, first: int) -> dict[int, int]:
        """The levels to plan the day that starts at ``first`` from."""
        return dict(self.before if first == self.first else self.after)

    def limits(self, first: int, last: int) -> dict[int, int]:
        """What the intervals ``first..last`` may issue: today's plan holds while tomorrow's is made."""
        return {t: permille for t, permille in self.limit_permille.items() if first <= t <= last}
