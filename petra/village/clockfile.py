"""The village's clock, and the copies that single processes live by."""

import time
from dataclasses import dataclass
from pathlib import Path

from petra.village.state import write_json


@dataclass(frozen=True, slots=True)
class VillageClock:
    """``simulated_s`` was at ``real_s``; both Unix seconds."""

    real_s: float
    simulated_s: int
    speed: int

    @classmethod
    def reaching(cls, simulated_s: int, in_real_s: float, speed: int) -> "VillageClock":
        """The clock that shows ``simulated_s`` after ``in_real_s`` from now."""
        return cls(round(time.time() + in_real_s, 3), simulated_s, speed)

    def write(self, path: Path) -> None:
        """Write the file that PETRA_CLOCK names."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"real_s": self.real_s, "simulated_s": self.simulated_s, "speed": self.speed})
