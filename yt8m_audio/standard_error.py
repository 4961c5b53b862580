"""Keeps what native code and other processes say on standard error to itself, unless something fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from yt8m_audio.errors import UserError

STANDARD_ERROR = 2  # below Python's sys.stderr: processes that are started here have this one too


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Holds standard error back; gives it out where an exception ends the block that is no UserError."""
    sys.stderr.flush()
    kept = os.dup(STANDARD_ERROR)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), STANDARD_ERROR)
        try:
            yield
        except UserError:
            raise
        except Exception:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, STANDARD_ERROR)
            os.close(kept)
