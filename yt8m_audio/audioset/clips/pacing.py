"""When the next request may be made: a rate for all workers together, and pauses when the site or the network refuses.

    gate = Gate(Pace(per_hour=300, pause=900), say)
    if gate.enter(stop):          # waits
        ...
        gate.report(reason)       # None where the clip was had

Requests are spread evenly, so that no hour holds more than `per_hour`, not even across a restart. A bot check, a
captcha or a rate limit is about this address and no video: everything waits, then one request alone tries. Where it is
refused too the next pause is twice as long; after some pauses in a row the run ends, to be gone on with later.
"""

import dataclasses
import threading
import time
from collections.abc import Callable

from yt8m_audio.audioset.clips.reasons import NO_ANSWER, REFUSALS, Reason

HOUR = 3600.0
LONGEST_PAUSE = 4 * HOUR


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast, and how patient.

    Attributes:
        per_hour: requests; 0 for no limit.
        pause: seconds of the first pause.
        most_pauses: in a row, before the run ends.
        outage: failures of the network in a row that are taken for an outage.
    """

    per_hour: float = 300.0
    pause: float = 900.0
    most_pauses: int = 6
    outage: int = 20

    @property
    def interval(self) -> float:
        """Seconds from one request to the next."""
        return HOUR / self.per_hour if self.per_hour else 0.0


@dataclasses.dataclass
class GateState:
    """What the next run has to know; times are seconds since 1970.

    Attributes:
        next_start: when a request may be made, by the rate.
        paused_until: when a pause ends.
        pauses: in a row so far.
        why: reason of the last pause.
    """

    next_start: float = 0.0
    paused_until: float = 0.0
    pauses: int = 0
    why: str = ""


class Gate:
    """What all workers of a run pass through before a request."""

    def __init__(self, pace: Pace, say: Callable[[str], None], state: GateState | None = None):
        self.pace, self.say = pace, say
        self.state = state or GateState()
        self.state.pauses = 0  # a run that somebody started is patient anew
        self.next_start = min(self.state.next_start, time.time() + pace.interval)
        self.alone = self.state.paused_until > 0  # one request tries
        self.trying = False
        self.silent = 0
        self.gave_up = ""
        self.lock = threading.Condition()

    def enter(self, stop: threading.Event) -> bool:
        """Waits until a request may be made; returns False where the run is to end."""
        with self.lock:
            while not stop.is_set() and not self.gave_up:
                wait = self._wait(time.time())
                if wait <= 0:
                    self.next_start = max(self.next_start, time.time()) + self.pace.interval
                    self.state.next_start = self.next_start
                    self.trying = self.alone
                    return True
                self.lock.wait(min(wait, 0.5))
        return False

    def report(self, reason: Reason | None) -> None:
        """Takes what came of a request: its reason, or None where it was answered as one would wish."""
        with self.lock:
            if time.time() < self.state.paused_until:  # of one that was on its way before
                return
            self.trying = False
            self.silent = self.silent + 1 if reason in NO_ANSWER else 0
            still_out = self.alone and reason in NO_ANSWER and self.state.why in NO_ANSWER
            if reason in REFUSALS or self.silent >= self.pace.outage or still_out:
                self._pause(reason, time.time())
            elif reason not in NO_ANSWER:
                self.alone, self.state.pauses, self.state.paused_until, self.state.why = False, 0, 0.0, ""
            self.lock.notify_all()

    def _wait(self, now: float) -> float:
        """Seconds to wait at least."""
        alone = 0.5 if self.trying else 0.0
        return max(self.state.paused_until - now, self.next_start - now, alone)

    def _pause(self, reason: Reason, now: float) -> None:
        if self.state.pauses >= self.pace.most_pauses:
            self.gave_up = f"{reason} after {self.state.pauses} pauses in a row"
            return
        seconds = min(self.pace.pause * 2**self.state.pauses, LONGEST_PAUSE)
        self.state.pauses += 1
        self.state.paused_until, self.state.why, self.alone, self.silent = now + seconds, str(reason), True, 0
        clock = time.strftime("%H:%M:%S", time.localtime(self.state.paused_until))
        self.say(f"{reason}: nothing is asked for {seconds:,.0f} s; it goes on at {clock}, with one clip.")
