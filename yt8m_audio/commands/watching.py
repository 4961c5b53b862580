"""Evaluates a run while it is trained elsewhere: the newest checkpoint, whatever happens to them meanwhile."""

import time
from collections.abc import Callable

from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.inputs import NotFiniteError
from yt8m_audio.paths import AnyPath, RemotePath
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.training.checkpoints import DAMAGED, Checkpoints


class Watcher:
    """Waits for checkpoints, and has the newest evaluated; what came before it while one was evaluated is passed over.

    The run need not be there yet. Training drops old checkpoints, so that one may vanish when it is to be read; and
    one that is copied from another machine may be there in part: it is read again when its file has changed.

    Args:
        train_dir: the run directory.
        poll_seconds: how long to sleep before looking again.
        opened: opens the run when it is there: gives what restores a step, and what evaluates it then.
    """

    def __init__(self, train_dir: str, poll_seconds: float, opened: Callable):
        self.run, self.poll_seconds, self.opened = RunDirectory(train_dir), poll_seconds, opened
        self.checkpoints = Checkpoints(self.run.checkpoints)
        self.source = self.evaluator = None
        self.done: int | None = None  # the step that was evaluated last
        self.damaged: tuple | None = None  # the file that could not be read last
        self.said = ""

    def watch(self) -> None:
        """Looks for ever, and sleeps where there is nothing new."""
        while True:
            if not self.look():
                time.sleep(self.poll_seconds)

    def look(self) -> bool:
        """Evaluates the newest checkpoint if it is new; returns whether there was one."""
        step = max(self.checkpoints.steps(), default=None) if self.run.exists() else None
        if step is None:
            self._say(f"Waiting for a run in {self.run.path}, and its first checkpoint.")
            return False
        file = _stamp(self.checkpoints.path(step))
        if step == self.done or file is None or file == self.damaged:
            return False
        if self.source is None:
            self.source, self.evaluator = self.opened()
        if not self._restored(step, file):
            return False
        self._evaluate(step)
        self.done = step
        return True

    def _evaluate(self, step: int) -> None:
        """Evaluates what was restored; a model that diverged may have recovered by the next checkpoint."""
        try:
            self.evaluator.evaluate()
        except NotFiniteError as error:
            self._say(f"note: step {step:,} is passed over: {error}")

    def _restored(self, step: int, file: tuple) -> bool:
        """Whether a checkpoint could be read."""
        path = self.checkpoints.path(step)
        try:
            self.source.restore(step)
        except UserError as error:
            if not path.exists():
                return False
            if not isinstance(error.__cause__, DAMAGED):
                raise
            self.damaged = file
            self._say(f"note: {path} is damaged, or not whole yet: waiting for it or the next.")
            return False
        return True

    def _say(self, text: str) -> None:
        """Prints what is not what was said last."""
        if text != self.said:
            print(text, flush=True)
            self.said = text


def _stamp(path: AnyPath) -> tuple | None:
    """What changes when a file is written to, or None where it is gone; remote files are whole when they are there."""
    if isinstance(path, RemotePath):
        return (path,) if path.exists() else None
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return path, found.st_mtime_ns, found.st_size
