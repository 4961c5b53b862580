"""What a run was a moment ago, in memory: what is left of it when another worker is lost in the middle of a call.

snapshots = Snapshots(call)
snapshots.take(step)                # after a call, now and then
snapshots.save(checkpoints)         # when a call has failed: variables may then be half a step on
"""

import dataclasses
import time

import numpy as np

from yt8m_audio.training.checkpoints import Checkpoints
from yt8m_audio.training.step import TrainCall

SHARE_OF_TIME = 0.02  # that copying may take
SECONDS = 1.0  # between two copies, at least


@dataclasses.dataclass(frozen=True)
class Kept:
    """A variable's name and value, for a checkpoint."""

    name: str
    value: np.ndarray

    def numpy(self) -> np.ndarray:
        """Its value."""
        return self.value


class Snapshots:
    """Keeps a copy of everything that a checkpoint holds.

    Args:
        call: what trains.
    """

    def __init__(self, call: TrainCall):
        self.call, self.step, self.variables, self.state = call, None, [], {}
        self.next_time = 0.0

    def take(self, step: int) -> None:
        """Copies the state after a step, if the copy before is old enough for what a copy costs."""
        begun = time.monotonic()
        if begun < self.next_time:
            return
        self.variables = [Kept(getattr(each, "path", None) or each.name, each.numpy()) for each in self.call.variables]
        self.step, self.state = step, self.call.state
        now = time.monotonic()
        self.next_time = now + max(SECONDS, (now - begun) / SHARE_OF_TIME)

    def save(self, checkpoints: Checkpoints) -> int | None:
        """Writes the copy as a checkpoint, unless there is one as new; returns its step, or None."""
        if self.step is None or self.step <= max(checkpoints.steps(), default=0):
            return None
        checkpoints.save(self.step, self.variables, **self.state)
        return self.step
