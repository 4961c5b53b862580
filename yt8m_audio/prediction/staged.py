"""A file of predictions on another file system, such as gs://: written here, and brought there when it is whole.

An object of a bucket cannot be added to. What an interrupted run has written lies in a folder of this machine, where
the same command goes on; of a machine that is gone, the files that are whole are left.
"""

from pathlib import Path
from typing import Any

from yt8m_audio.paths import RemotePath
from yt8m_audio.prediction.predicted import Format
from yt8m_audio.prediction.resumable import SAVE_SECONDS, ResumableFile


class StagedFile(ResumableFile):
    """One file of predictions on another file system; the note of one that is whole lies there beside it.

    Args:
        remote: the file.
        folder: of this machine, to write it in; for the files of one remote folder alone.
        facts: what its content depends on.
        output: its format.
        save_seconds: between two notes.
    """

    def __init__(
        self,
        remote: RemotePath,
        folder: Path,
        facts: dict[str, Any],
        output: Format,
        save_seconds: float = SAVE_SECONDS,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder / remote.name, facts, output, save_seconds)
        self.remote, self.remote_note = remote, remote.with_name(self.note.name)

    def is_finished(self, clips: int) -> bool:
        """Whether the file is there, whole; one that is whole here is brought there first."""
        if super().is_finished(clips):
            self._bring()
            return True
        return self.is_whole(self.remote, self.noted_in(self.remote_note), clips)

    def finish(self) -> None:
        """Brings the file there; to be called while it is open."""
        super().finish()
        self._bring()

    def forget(self) -> None:
        """Removes the note, so that the same command writes the file anew."""
        self.remote_note.unlink(missing_ok=True)

    def _bring(self) -> None:
        """Uploads the file, then its note, and removes both here."""
        self.remote.upload(self.path)
        self.remote_note.upload(self.note)
        self.path.unlink()
        self.note.unlink()
