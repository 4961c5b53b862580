"""What clips say while they are downloaded: one line that is rewritten in a terminal, or one now and then in a log.

`yt8m_audio.training.progress` has such a line too, and brings TensorFlow with it.
"""

import shutil
import sys
import threading
import time

LOG_SECONDS = 30.0


class ClipLine:
    """One line of progress, and lines that stay; any thread may write."""

    def __init__(self):
        self.live, self.shown, self.last = sys.stdout.isatty(), 0, time.monotonic()
        self.lock = threading.Lock()

    def show(self, text: str) -> None:
        """Shows how far it is."""
        with self.lock:
            if self.live:
                text = text[: shutil.get_terminal_size().columns - 1]
                sys.stdout.write("\r" + text.ljust(self.shown))
                sys.stdout.flush()
                self.shown = len(text)
            elif time.monotonic() - self.last >= LOG_SECONDS:
                self.last = time.monotonic()
                print(text, flush=True)

    def say(self, text: str) -> None:
        """Prints what stays."""
        self.clear()
        with self.lock:
            print(text, flush=True)

    def clear(self) -> None:
        """Takes the rewritten line away."""
        with self.lock:
            if self.live and self.shown:
                sys.stdout.write("\r" + " " * self.shown + "\r")
                self.shown = 0
