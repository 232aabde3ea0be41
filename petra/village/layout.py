"""Where a village keeps what: one folder, with one below it for each process."""

import secrets
from dataclasses import dataclass
from pathlib import Path

PASSPHRASE_BYTES = 18


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of the village in ``folder``."""

    folder: Path

    @property
    def clock(self) -> Path:
        """The village's clock."""
        return self.folder / "clock.json"

    def own_clock(self, name: str) -> Path:
        """The clock of one process, which a fault may set wrong."""
        return self.folder / "clocks" / f"{name}.json"

    def of(self, name: str) -> Path:
        """The folder of a process."""
        return self.folder / name

    def log(self, name: str) -> Path:
        """What a process says."""
        return self.folder / "logs" / f"{name}.log"

    def profile(self, home: int) -> Path:
        """What a home's simulator plays."""
        return self.folder / "homes" / f"home{home}.csv"

    @property
    def deployments(self) -> Path:
        """Folder of the ledger's record."""
        return self.folder / "deployments"

    @property
    def chain_state(self) -> Path:
        """What anvil keeps."""
        return self.folder / "chain" / "state.json"

    @property
    def desk(self) -> Path:
        """The DSO's desk."""
        return self.folder / "dso"

    @property
    def run(self) -> Path:
        """The files of the run, for ``petra audit``."""
        return self.folder / "run"

    @property
    def faults(self) -> Path:
        """What was done to the village, one JSON object a line."""
        return self.folder / "faults.jsonl"

    def passphrase(self, name: str) -> Path:
        """The passphrase file of a process's keystores."""
        return self.folder / name / "passphrase"

    def make_passphrase(self, name: str) -> str:
        """A fresh passphrase, written where only its owner reads."""
        path = self.passphrase(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = secrets.token_urlsafe(PASSPHRASE_BYTES)
        write_private(path, text + "\n")
        return text

    def read_passphrase(self, name: str) -> str:
        """What :meth:`make_passphrase` wrote."""
        return self.passphrase(name).read_text(encoding="utf-8").rstrip("\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody but its owner can read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text, encoding="utf-8")
