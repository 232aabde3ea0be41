"""Files that only their owner may read, and files that are still to be made."""

import os
from collections.abc import Iterator
from pathlib import Path


def private_file(field: str, path: Path, made: bool) -> Iterator[str]:
    """What is wrong with the secret in ``path``; ``made``: a missing one is made at the start."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not made:
            yield f"{field}: {path} is missing; make it, readable for its owner only"
        elif not writable(path):
            yield f"{field}: {path} cannot be made; make its folder {path.parent}, and let the role's user write there"
        return
    except OSError as error:
        yield f"{field}: {path} cannot be read ({error.strerror}); run the role as the user who owns it"
        return
    if not os.access(path, os.R_OK) or path.is_dir():
        yield f"{field}: {path} cannot be read; run the role as the user who owns it"
    if mode & 0o077:
        yield f"{field}: others can read {path}; say: chmod 600 {path}"


def writable(path: Path) -> bool:
    """Whether ``path`` can be written, or made."""
    return os.access(path if path.exists() else path.parent, os.W_OK)
