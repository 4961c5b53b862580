"""One process at a time writes a manifest."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from yt8m_audio.errors import UserError


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Keeps other processes from a manifest; the lock goes with the process, however it ends.

    Raises:
        UserError: if another one has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"{path}: another run is at it: wait for its end, or stop it.") from error
        yield
