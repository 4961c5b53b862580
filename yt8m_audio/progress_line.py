"""What is said while something long goes on: a line that is rewritten in a terminal, or one now and then in a log.

line, throughput = ProgressLine(), Throughput(total_clips=22_160)
rate, left = throughput.update(4_096)
line.show(f"4,096 of 22,160 clips, {rate:,.0f} clips/s, {duration(left)} left")
line.clear()
"""

import dataclasses
import shutil
import sys
import threading
import time

LOG_SECONDS = 10.0  # between two lines where the output is no terminal


def duration(seconds: float) -> str:
    """Formats seconds as 1:02:03."""
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


@dataclasses.dataclass
class Throughput:
    """Clips a second and time left, from when the first steps (which compile) were done."""

    total_clips: int
    start_clips: int | None = None
    start_time: float = 0.0
    paused: float = 0.0

    def update(self, clips: int) -> tuple[float, float]:
        """Takes the clips done so far; returns clips a second and seconds left, 0 while unknown."""
        if self.start_clips is None:
            self.start_clips, self.start_time = clips, time.monotonic()
        elapsed = time.monotonic() - self.start_time - self.paused
        rate = (clips - self.start_clips) / elapsed if clips > self.start_clips and elapsed > 0 else 0.0
        return rate, (self.total_clips - clips) / rate if rate else 0.0


class ProgressLine:
    """One line that is rewritten in place in a terminal, and printed now and then in a log file; of any thread."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty()
        self.shown = 0
        self.last_time = time.monotonic()
        self.lock = threading.Lock()

    def show(self, text: str) -> None:
        """Shows the state of things; in a log only every ten seconds."""
        with self.lock:
            if self.live:
                text = text[: shutil.get_terminal_size().columns - 1]  # a longer one would wrap, and stay
                self.stream.write("\r" + text.ljust(self.shown))
                self.stream.flush()
                self.shown = len(text)
            elif time.monotonic() - self.last_time >= LOG_SECONDS:
                self.last_time = time.monotonic()
                print(text, file=self.stream, flush=True)

    def say(self, text: str) -> None:
        """Prints a line that stays, in the place of the one that is rewritten."""
        with self.lock:
            self._clear()
            print(text, file=self.stream, flush=True)

    def clear(self) -> None:
        """Takes the rewritten line away."""
        with self.lock:
            self._clear()

    def _clear(self) -> None:
        if self.live and self.shown:
            self.stream.write("\r" + " " * self.shown + "\r")
            self.shown = 0
