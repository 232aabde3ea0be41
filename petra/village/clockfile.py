"""The village's clock, and the copies that single processes live by."""

import time
from dataclasses import dataclass
from pathlib import Path

from petra.village.state import write_json


@dataclass(frozen=True, slots=True)
class VillageClock:
    """``simulated_s`` was at ``real_s``; both Unix seconds."""

    real_s: float
    simulated_s: float
    speed: int

    @classmethod
    def beginning(cls, simulated_s: float) -> "VillageClock":
        """The clock that shows ``simulated_s`` now, and goes as fast as the world's."""
        return cls(round(time.time(), 3), round(simulated_s, 3), 1)

    def going(self, speed: int) -> "VillageClock":
        """The clock that shows what this one shows now, and goes at ``speed`` from now on."""
        now_s = round(time.time(), 3)
        return VillageClock(now_s, round(self.simulated_s + (now_s - self.real_s) * self.speed, 3), speed)

    def write(self, path: Path) -> None:
        """Write the file that PETRA_CLOCK names."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"real_s": self.real_s, "simulated_s": self.simulated_s, "speed": self.speed})
