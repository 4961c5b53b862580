"""Inference as a job over many machines: which parts there are, and who predicts them. TensorFlow is for workers alone.

job = InferenceJob(asked, examples=paths[:8])
run_job(job, paths, options, "failures.csv")
"""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from yt8m_audio.beam.job import Failure, Part, Size, Worker
from yt8m_audio.errors import UserError
from yt8m_audio.flags import InferenceFlags, quieten_tensorflow
from yt8m_audio.prediction.output_shards import OutputShard, output_shards

PART_BYTES = 4 << 20  # of records that go to a worker at a time
CUT = "the file ends inside this record, or a length is damaged: it is lost, and what is behind it"


class RecordRun(NamedTuple):
    """Where some records lie, one after another in a shard.

    Attributes:
        path: the shard.
        of: how many records the shard has.
        starts: int64 [n], where each begins, framing not counted.
        ends: int64 [n].
        bare: whether the file is one record without framing.
    """

    path: str
    of: int
    starts: np.ndarray
    ends: np.ndarray
    bare: bool


@dataclasses.dataclass(frozen=True)
class InferenceJob:
    """What inference.py does with the same flags.

    Attributes:
        asked: the command line.
        examples: some of the shards, of which the first that fits the model says what the records are.
    """

    asked: InferenceFlags
    examples: Sequence[str]

    @property
    def files(self) -> list[str]:
        """Paths of the files to write."""
        folder, slash, _ = self.asked.output_file.rpartition("/")
        return [f"{folder}{slash}{each.path}" for each in self._output(0)]

    def file_of(self, clips: np.ndarray, total: int) -> np.ndarray:
        """Numbers of the files that clips belong to: those of inference.py, which hold a run of clips each."""
        ends = [each.clips.stop for each in self._output(total)]
        return np.searchsorted(ends, clips, side="right")  # files without a clip are passed over

    def _output(self, total: int) -> list[OutputShard]:
        return output_shards(self.asked.output_file.rpartition("/")[2], total)

    def find(self, number: int, source: str) -> Iterator[Part | Size | Failure]:
        """Finds the records of a shard, from their framing alone."""
        with_quiet_tensorflow()
        from yt8m_audio.records import FOOT_BYTES, index_shards

        try:
            shards = index_shards([source], skip_corrupt=True)
        except UserError as error:
            yield Failure(source, None, None, str(error))
            return
        count, bare = len(shards), bool(shards.bare[0])
        yield Size(number, count)
        for numbers in shards.chunks(np.arange(count), PART_BYTES):
            run = slice(int(numbers[0]), int(numbers[-1]) + 1)
            content = RecordRun(source, count, shards.starts[run], shards.ends[run], bare)
            yield Part(number, run.start, len(numbers), content)
        if shards.cut[0]:
            yield Failure(source, count, int(shards.ends[-1]) + FOOT_BYTES if count else 0, CUT)

    def open(self) -> Worker:
        """Makes what predicts."""
        with_quiet_tensorflow()
        from yt8m_audio.commands.inference_worker import InferenceWorker

        return InferenceWorker(self.asked, self.examples)


def with_quiet_tensorflow() -> None:
    """Imports TensorFlow in a process that has not."""
    if "tensorflow" not in sys.modules:
        quieten_tensorflow()
