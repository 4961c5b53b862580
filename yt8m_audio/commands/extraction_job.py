"""Extraction as a job over many machines: a sound is a clip, and goes to the shard that `extract` gives it."""

import dataclasses
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.audio.manifest import MANIFEST, write_manifest
from yt8m_audio.audio.sound_frames import FAILED, Extraction, Sound, frames_of
from yt8m_audio.audio.sound_work import Opening
from yt8m_audio.beam.job import Cut, Failure, Part, Piece, Size

WHOLE = np.zeros(1, np.int64)  # the one clip of a sound


@dataclasses.dataclass(frozen=True)
class ExtractionJob:
    """What `extract` does with the same flags.

    Attributes:
        out: folder to write to.
        shards: how many there are of records; behind them comes the manifest.
        opening: of the embedding.
        settings: how sounds become clips.
    """

    out: str
    shards: int
    opening: Opening
    settings: Extraction

    @property
    def files(self) -> list[str]:
        """Paths of the files to write."""
        names = [f"{number:05d}-of-{self.shards:05d}.tfrecord" for number in range(self.shards)]
        return [f"{self.out}/{name}" for name in (*names, MANIFEST)]

    def file_of(self, clips: np.ndarray, total: int) -> np.ndarray:
        """Numbers of the shards that sounds belong to."""
        return clips % self.shards

    def find(self, number: int, source: Sound) -> Iterator[Part | Size]:
        """Gives the sound."""
        yield Size(number, 1)
        yield Part(number, 0, 1, source)

    def open(self) -> "ExtractionWorker":
        """Makes what embeds."""
        return ExtractionWorker(self)


class ExtractionWorker:
    """Embeds sounds as `extract` does.

    Args:
        job: the job.
    """

    at_a_time = 1

    def __init__(self, job: ExtractionJob):
        self.job, self.lock, self.source = job, threading.Lock(), None

    def load(self) -> bool:
        """Opens the embedding where it is not; returns whether it did."""
        with self.lock:
            if self.source is not None:
                return False
            self.source = self.job.opening.opened()
            return True

    def work(self, parts: Sequence[Part]) -> Iterator[Piece | Failure]:
        """Embeds sounds: a piece of a shard where one did not fail, and a row of the manifest in any case."""
        from yt8m_audio.audio.extraction import records_of
        from yt8m_audio.audio.extraction_folder import framed

        for part in parts:
            found = frames_of(part.content, self.source, self.job.settings)
            row = {**found.row, "shard": part.input % self.job.shards}
            if row["state"] == FAILED:
                yield Failure(
                    part.content.path or part.content.video_id, None, None, f"{row['reason']}: {row['detail']}"
                )
            else:
                records = records_of(found, self.job.settings.feature_name)
                yield Piece(part.input, WHOLE, b"".join(map(framed, records)))
            yield Piece(part.input, WHOLE, json.dumps(row).encode(), file=self.job.shards)

    def write(self, number: int, path: Path, pieces: Path, cuts: Sequence[Cut]) -> None:
        """Writes a shard, which the pieces are as they stand, or the manifest."""
        if number < self.job.shards:
            shutil.move(pieces, path)
        else:
            write_manifest(path, rows_in(pieces, cuts))


def rows_in(pieces: Path, cuts: Sequence[Cut]) -> Iterator[dict]:
    """The rows of the manifest."""
    with pieces.open("rb") as file:
        for cut in cuts:
            yield json.loads(file.read(cut.length))
