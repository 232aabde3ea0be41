"""Secrets in files that only their owner can read."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from assets.keys import ORDER, SigningKey


def kept_secret(path: Path, fresh: Callable[[], str]) -> str:
    """The secret in ``path``, made by ``fresh`` and written if the file is missing.

    Raises ``ValueError`` if the file holds no text, or others may read it: a secret that was readable is none.
    """
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(fresh() + "\n")
    if path.stat().st_mode & 0o077:
        raise ValueError(f"others can read {path}; say: chmod 600 {path}, or remove it to get a fresh secret")
    try:
        return path.read_text().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds no secret; remove it to get a fresh one") from None


def kept_key(path: Path | None) -> SigningKey:
    """The signing key in ``path`` as 64 hexadecimal digits, made if the file is missing; a fresh one without a path.

    Raises ``ValueError`` if the file holds no key, or others may read it.
    """
    if path is None:
        return SigningKey.generate()
    try:
        return SigningKey(bytes.fromhex(kept_secret(path, _fresh_digits)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _fresh_digits() -> str:
    return (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big").hex()
