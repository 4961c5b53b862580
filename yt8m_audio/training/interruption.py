"""Ctrl-C and SIGTERM, taken as a wish to stop soon: the loop saves first. A second Ctrl-C stops at once."""

import contextlib
import dataclasses
import signal
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclasses.dataclass
class Interruption:
    """Which signal has come, or None."""

    signal: int | None = None


@contextlib.contextmanager
def interruption() -> Iterator[Interruption]:
    """Notes the first signal instead of dying of it; the handlers there were before take the second."""
    noted = Interruption()
    previous = {each: signal.getsignal(each) for each in SIGNALS}

    def note(number, frame):
        noted.signal = number
        restore()

    def restore():
        for each, handler in previous.items():
            signal.signal(each, handler)

    try:
        for each in SIGNALS:
            signal.signal(each, note)
    except ValueError:  # not in the main thread, where signals do not arrive either
        pass
    try:
        yield noted
    finally:
        with contextlib.suppress(ValueError):
            restore()
