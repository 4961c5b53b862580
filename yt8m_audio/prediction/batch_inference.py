"""Batch inference: clips through a model into the files of one worker, in order, resumable, each whole or not at all.

    work = BatchInference(predict, read, len(clips), facts, LabelsCsv(), batch_size=512)
    work.run(of_worker(output_shards("preds-@16.csv", len(clips)), "0/4", "preds-@16.csv"))

Batch k of a shard holds the same clips in every run, whoever writes it and wherever it was interrupted, and is computed
in the same way: so the bytes are the same too.
"""

import collections
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tensorflow as tf

from yt8m_audio.paths import RemotePath
from yt8m_audio.prediction.output_shards import OutputShard
from yt8m_audio.prediction.predicted import Format, Predicted
from yt8m_audio.prediction.resumable import SAVE_SECONDS, ResumableFile
from yt8m_audio.prediction.staged import StagedFile

BATCHES_AHEAD = 2  # that may be predicted and not yet written


@dataclasses.dataclass
class BatchInference:
    """What is predicted, and how it is written.

    Attributes:
        predict: from a data set, what is predicted of each batch (see yt8m_audio.prediction.predictor).
        read: gives the batches of some clips, a range of their numbers, in order.
        facts: what the predictions depend on, as JSON takes it.
        output: the format.
        batch_size: clips in a batch.
        progress: called after each batch with the clips done, those of earlier runs included.
        say: called with lines that tell what is gone on with, begun anew or left as it is.
        save_seconds: between two notes of how far it is.
        staging: folder of this machine where files of another file system are written first.
    """

    predict: Callable[[tf.data.Dataset], Iterator[Predicted]]
    read: Callable[[range], tf.data.Dataset]
    facts: dict[str, Any]
    output: Format
    batch_size: int
    progress: Callable[[int], None] = lambda done: None
    say: Callable[[str], None] = print
    save_seconds: float = SAVE_SECONDS
    staging: Path | None = None

    def run(self, shards: Sequence[OutputShard]) -> int:
        """Writes the shards that are not there yet; returns how many clips it predicted.

        Raises:
            UserError: if a score is not finite, a clip cannot be read, or another process writes the same file.
            OSError: if a file cannot be written.
        """
        done = predicted = 0
        for shard in shards:
            file = self._file_of(shard)
            if file.is_finished(len(shard.clips)):
                self.say(f"{shard.path} is whole already: {len(shard.clips):,} clips.")
            else:
                predicted += self._write(file, shard.clips, done)
            done += len(shard.clips)
            if shard.number is None:
                file.forget()
        return predicted

    def _file_of(self, shard: OutputShard) -> ResumableFile:
        how = (self.facts_of(shard), self.output, self.save_seconds)
        if isinstance(shard.path, RemotePath):
            return StagedFile(shard.path, self.staging, *how)
        return ResumableFile(shard.path, *how)

    def facts_of(self, shard: OutputShard) -> dict[str, Any]:
        """What the content of a shard depends on."""
        return {**self.facts, "clips at a time": self.batch_size, "clips": [shard.clips.start, shard.clips.stop]}

    def _write(self, file: ResumableFile, clips: range, done_before: int) -> int:
        """Writes one file; returns how many clips it predicted."""
        differing = file.differing()
        if differing:
            self.say(f"{file.path} was begun otherwise ({', '.join(differing)}): it begins anew.")
        with file.opened() as begun, self._stopped(file, len(clips)):
            if begun:
                self.say(f"{file.path} goes on at clip {begun:,} of {len(clips):,}.")
            with contextlib.closing(self._added(file, clips[begun:])) as added:
                for number in added:
                    self.progress(done_before + begun + number)
            file.finish()
        return len(clips) - begun

    @contextlib.contextmanager
    def _stopped(self, file: ResumableFile, total: int) -> Iterator[None]:
        """Keeps what a file has when somebody stops the run, and says so."""
        try:
            yield
        except KeyboardInterrupt:
            if file.keep():
                kept = f"{file.counts['clips']:,} of {total:,} clips"
                self.say(f"{file.path}: {kept} are kept. The same command goes on from there.")
            raise

    def _added(self, file: ResumableFile, clips: range) -> Iterator[int]:
        """Adds clips to a file, one batch while others are predicted, and gives how many are predicted after each."""
        if not clips:
            return
        ends = [*range(self.batch_size, len(clips), self.batch_size), len(clips)]
        with ThreadPoolExecutor(1) as thread:
            waiting, begin = collections.deque(), 0
            for predicted, end in zip(self.predict(self.read(clips)), ends, strict=True):
                waiting.append(thread.submit(file.add, predicted, end - begin))
                begin = end
                if len(waiting) > BATCHES_AHEAD:
                    waiting.popleft().result()
                yield end
            for each in waiting:
                each.result()
