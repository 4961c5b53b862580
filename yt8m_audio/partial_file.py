"""The beginning of a file that is being fetched, and which version of the file it is the beginning of."""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from yt8m_audio.errors import UserError


@dataclasses.dataclass
class PartialFile:
    """What has come of a file, and of which version of it.

    Attributes:
        path: of the bytes.
        done: how many they are.
        file: open at their end.
        url: where they are from.
        version: the validator to ask with whether it is still that version; empty where the server gave none.
    """

    path: Path
    done: int
    file: BinaryIO
    url: str
    version: str = ""

    @classmethod
    @contextlib.contextmanager
    def opened(cls, target: Path, url: str) -> Iterator["PartialFile"]:
        """Opens what is there; another process that fetches it is an error."""
        path = target.with_name(f"{target.name}.part")
        with open(path, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{path} is being written by another process: wait for it.") from None
            part = cls(path, file.tell(), file, url)
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
                note = json.loads(part.note.read_text())
                part.version = note["version"] if note["url"] == url else ""
            try:
                yield part
            finally:
                if not part.done:  # nothing to go on from
                    path.unlink(missing_ok=True)
                    part.note.unlink(missing_ok=True)

    @property
    def note(self) -> Path:
        """Where the version is written down."""
        return self.path.with_name(f"{self.path.name}.json")

    def restart(self, version: str) -> None:
        """Forgets what has come: it will be of another version."""
        self.file.truncate(0)
        self.done, self.version = 0, version
        self.note.write_text(json.dumps({"url": self.url, "version": version}) + "\n")

    def add(self, content: bytes) -> None:
        """Takes the next bytes."""
        self.file.write(content)
        self.done += len(content)

    def finish(self, target: Path) -> None:
        """Gives it its name."""
        self.file.flush()
        os.replace(self.path, target)
        self.note.unlink(missing_ok=True)
