"""What SQLite says of a manifest, as a user's error that names the file."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from yt8m_audio.errors import UserError, reason

OF_THE_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}
OF_THE_DISK |= {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY}


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Says of which file SQLite complains."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in OF_THE_DISK:
            raise UserError(
                f"{path} cannot be read or written: {reason(error)}. What it says already is kept."
            ) from error
        raise UserError(f"{path} cannot be used as a manifest of clips: {reason(error)}.") from error
