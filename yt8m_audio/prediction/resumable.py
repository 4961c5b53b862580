"""A file that is written in parts, and gone on with where an interrupted run left it: no line twice, no half line.

    file = ResumableFile(path, {"step": 87}, LabelsCsv())
    with file.opened() as done:               # 0, or how many clips are in it already
        for predicted in ...:
            file.add(predicted, clips=512)
        file.finish()

Beside `path` lie `.partial-NAME`, with what has been written so far, and `.progress-NAME.json`, which notes how much of
that counts. The note is renamed into place after the bytes that it counts are on the disk, and what lies behind them is
cut off when the file is opened again: whenever a run is killed, the next one goes on from the last note.
"""

import contextlib
import errno
import fcntl
import gzip
import json
import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from yt8m_audio.errors import UserError
from yt8m_audio.paths import AnyPath
from yt8m_audio.prediction.predicted import Format, Predicted
from yt8m_audio.run_directory import written_beside

SAVE_SECONDS = 0.5  # between two notes: little is left to bring to the disk at the end
READ_BYTES = 1 << 24  # at a time
GZIP_LEVEL, GZIP_CONTAINER = 6, 31  # zlib's number for gzip, which then holds no time
LINE_END = ord("\n")
DAMAGED = (OSError, EOFError, zlib.error)


class ResumableFile:
    """One file of predictions.

    Args:
        path: the file, which appears when it is whole; `.gz` compresses it, each batch by itself.
        facts: what its content depends on, as JSON takes it. A file that was begun with other ones begins anew.
        output: its format.
        save_seconds: between two notes.
    """

    def __init__(self, path: Path, facts: dict[str, Any], output: Format, save_seconds: float = SAVE_SECONDS):
        self.path, self.output, self.save_seconds = path, output, save_seconds
        self.facts = json.loads(json.dumps(facts))
        self.partial, self.note = (path.with_name(each) for each in beside(path.name))
        self.file, self.saved, self.intact = None, None, True
        self.counts = {"clips": 0, "rows": 0, "bytes": 0, "lines": 0}

    def noted(self) -> dict[str, Any] | None:
        """What was last noted: facts, counts, and `made`, bytes and lines once it is whole; None where nothing was."""
        return self.noted_in(self.note)

    def noted_in(self, note: AnyPath) -> dict[str, Any] | None:
        """What a note says."""
        try:
            noted = json.loads(note.read_text())
            return noted if {"facts", "made", *self.counts} <= noted.keys() else None
        except (FileNotFoundError, ValueError, AttributeError):
            return None

    def differing(self) -> list[str]:
        """Names of the facts that were others when the file was begun."""
        before = (self.noted() or {}).get("facts", self.facts)
        return sorted(key for key in before.keys() | self.facts.keys() if before.get(key) != self.facts.get(key))

    def is_finished(self, clips: int) -> bool:
        """Whether the file is there, whole: made of so many clips and these facts, with as many bytes and lines."""
        return not self.partial.exists() and self.is_whole(self.path, self.noted(), clips)

    def is_whole(self, path: AnyPath, noted: dict[str, Any] | None, clips: int) -> bool:
        """Whether a file is what a note says of one that is made of so many clips and these facts."""
        if not noted or not noted["made"] or noted["facts"] != self.facts or noted["clips"] != clips:
            return False
        return counted(path) == tuple(noted["made"])

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Opens the file to add to it, and gives the number of clips that are in it.

        Raises:
            UserError: if another process is writing it.
        """
        with self.partial.open("ab") as self.file:
            self._lock()
            try:
                self._go_on()
                yield self.counts["clips"]
            finally:
                if not self.note.exists():  # nothing can go on from it
                    self.partial.unlink(missing_ok=True)

    def add(self, predicted: Predicted, clips: int) -> None:
        """Adds the rows of so many clips: as many as are predicted, or more where some were left out.

        Raises:
            RuntimeError: if what came before could not be added.
        """
        if not self.intact:
            raise RuntimeError(f"{self.partial} lacks rows that could not be added: nothing may come behind them.")
        self.intact = False
        self._write(self.output.rows(predicted))
        self.counts["clips"] += clips
        self.counts["rows"] += len(predicted)
        self.intact, now = True, time.monotonic()
        self.saved = now if self.saved is None else self.saved
        if now - self.saved >= self.save_seconds:
            self._save()
            self.saved = now

    def keep(self) -> bool:
        """Notes all that was added; whether there is something, and it can be gone on with."""
        kept = self.intact and self.counts["clips"] > 0
        if kept:
            self._save()
        return kept

    def finish(self) -> None:
        """Gives the file its name, and notes that it is whole; to be called while it is open.

        Raises:
            UserError: if what was predicted cannot be written in the format; nothing is left to go on from then.
        """
        self._save()
        self.intact = False  # nothing may come behind, and a note that is made of it stands
        if hasattr(self.output, "combine"):
            with written_beside(self.path) as whole:
                self._combine(whole)
                made = counted(whole)
            self._note(made)
            self.partial.unlink()
        else:
            self._note((self.counts["bytes"], self.counts["lines"]))
            os.replace(self.partial, self.path)

    def forget(self) -> None:
        """Removes the note, so that the same command writes the file anew."""
        self.note.unlink(missing_ok=True)

    def _combine(self, whole: Path) -> None:
        """Makes a whole file of the part."""
        try:
            self.output.combine([self.partial], whole)
        except UserError:
            self.forget()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):  # of a file system without locks
                return
            raise UserError(f"{self.path} is being written by another process: wait for it, or stop it.") from error

    def _go_on(self) -> None:
        """Cuts off what was not noted, or all where that is not to be gone on with."""
        noted, there = self.noted(), os.fstat(self.file.fileno()).st_size
        if noted and noted["facts"] == self.facts and noted["bytes"] <= there:
            self.counts = {name: noted[name] for name in self.counts}
            self.file.truncate(self.counts["bytes"])
        else:
            self.note.unlink(missing_ok=True)
            self.file.truncate(0)
            self._write(self.output.header())

    def _write(self, content: bytes) -> None:
        self.counts["lines"] += num_lines(content)
        if self.path.suffix == ".gz" and content:
            content = zlib.compress(content, GZIP_LEVEL, GZIP_CONTAINER)
        self.counts["bytes"] += self.file.write(content)

    def _save(self) -> None:
        """Brings what was written to the disk, and notes it."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self._note(None)

    def _note(self, made: tuple[int, int] | None) -> None:
        with written_beside(self.note) as partial, partial.open("w") as file:
            json.dump({**self.counts, "made": made, "facts": self.facts}, file)
            file.flush()
            os.fsync(file.fileno())


def beside(name: str) -> tuple[str, str]:
    """Names of the files beside one that is being written: its content so far, and the note."""
    return f".partial-{name}", f".progress-{name}.json"


def num_lines(content: bytes) -> int:
    """Line ends in bytes: four times as fast as their own `count`, where lines are short."""
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == LINE_END))


def counted(path: AnyPath) -> tuple[int, int]:
    """Bytes of a file, and line ends of what it holds uncompressed; (-1, 0) where it is damaged or not there."""
    lines = 0
    try:
        with path.open("rb") as raw, gzip.open(raw) if path.suffix == ".gz" else contextlib.nullcontext(raw) as file:
            while content := file.read(READ_BYTES):
                lines += num_lines(content)
            return raw.tell(), lines
    except DAMAGED:
        return -1, 0
