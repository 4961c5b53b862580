"""What predicts parts in a process of a Beam worker: the models are opened once, and loaded once where they predict."""

import contextlib
import dataclasses
import io
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from readers import Clips
from readers.stores import RecordStore
from yt8m_audio.beam.job import Cut, Failure, Part, Piece
from yt8m_audio.commands.calibrated import check_calibration
from yt8m_audio.commands.inference import (
    check_output,
    devices_asked,
    labels_asked,
    output_format,
    predict_function,
    unpacked,
)
from yt8m_audio.commands.inference_models import Models, open_models
from yt8m_audio.commands.longest_clip import longest_clip
from yt8m_audio.commands.noting_store import NotingStore, PartShards, shards_of
from yt8m_audio.errors import UserError
from yt8m_audio.flags import InferenceFlags
from yt8m_audio.prediction import packed_rows
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.predicted import Predicted
from yt8m_audio.prediction.resumable import ResumableFile
from yt8m_audio.registry import READERS

BATCHES_AT_A_TIME = 64
WRITTEN_ROWS = 4096  # that are formatted at a time


class InferenceWorker:
    """Predicts records as inference.py does.

    Args:
        asked: the command line.
        examples: some of the shards.

    Raises:
        UserError: if flags contradict one another, a model cannot be opened, or none of the examples fits it.
    """

    def __init__(self, asked: InferenceFlags, examples: Sequence[str]):
        check_output(dataclasses.replace(asked, output_file=Path(asked.output_file).name))
        check_calibration(asked)
        self.unpacked, self.lock, self.strategy = contextlib.ExitStack(), threading.Lock(), devices_asked(asked)
        self.asked = self.unpacked.enter_context(unpacked(asked))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # once a worker
            self.models = open_on(self.asked, examples)
        self.output = output_format(self.asked, self.models)
        self.labels = labels_asked(self.asked, self.models)
        self.predict, self.clips_at_once = None, 0
        self.at_a_time = BATCHES_AT_A_TIME * asked.batch_size

    def load(self) -> bool:
        """Loads the models where they are not; returns whether it did."""
        with self.lock:
            if self.predict is not None:
                return False
            by_name = isinstance(self.output, LabelsCsv)
            with self.strategy.scope():
                self.predict, self.clips_at_once = predict_function(
                    self.asked, self.models, self.labels, by_name, self.strategy
                )
            return True

    def work(self, parts: Sequence[Part]) -> Iterator[Piece | Failure]:
        """Predicts parts."""
        shards = shards_of(parts)
        models = self._models_of(shards)
        stores = [clips.store for clips in models.readings]
        everything, size = range(len(shards)), self.clips_at_once
        if models.windows:  # as long as these parts' recordings are
            size = models.recordings_at_a_time(self.asked.batch_size)
        for begin, predicted in zip(everything[::size], self.predict(models.batches(everything, size)), strict=True):
            rows = self._rows(stores, np.array(everything[begin : begin + size]))
            if len(rows) != len(predicted):
                raise RuntimeError(f"{len(predicted)} rows were predicted of {len(rows)}.")
            also_read = np.array([all(store.num_frames[row] >= 0 for store in stores) for row in rows], bool)
            yield from pieces_of(rows[also_read], predicted.take(also_read), shards, parts)
        for number, reason in sorted({**stores[-1].failed, **stores[0].failed}.items()):
            yield Failure(*shards.place(number), shards.byte_offset(number), reason)

    def _models_of(self, shards: PartShards) -> Models:
        """The models with the records of parts as their clips."""
        return dataclasses.replace(
            self.models, readings=[self._clips_of(each, shards) for each in self.models.readings]
        )

    def _clips_of(self, clips: Clips, shards: PartShards) -> Clips:
        clips = Clips(NotingStore(shards, clips.store.reader), clips.data)
        if self.models.windows is None:
            return clips
        data = dataclasses.replace(clips.data, max_frames=longest_clip(clips))
        return Clips(NotingStore(shards, READERS.get(data.reader)(data)), data)

    def _rows(self, stores: Sequence[NotingStore], numbers: np.ndarray) -> np.ndarray:
        """The record that each predicted row is of, of some records that were read: int64 [rows]."""
        num_frames = stores[0].num_frames[numbers]
        real, windows = num_frames >= 0, self.models.windows
        return np.repeat(numbers[real], windows.counts(num_frames[real]) if windows else 1)

    def write(self, number: int, path: Path, pieces: Path, cuts: Sequence[Cut]) -> None:
        """Writes a file of predictions."""
        file = ResumableFile(path, {}, self.output)
        with file.opened():
            for block in packed_rows.in_blocks(cut_rows(pieces, cuts), WRITTEN_ROWS):
                file.add(block, len(block))
            file.finish()
        file.forget()


def open_on(asked: InferenceFlags, examples: Sequence[str]) -> Models:
    """Opens the models on the first of some shards that fits them.

    Raises:
        UserError: that of the first, where none does; or if their clips are no records.
    """
    errors = []
    for path in examples:
        try:
            models = open_models(dataclasses.replace(asked, input_data_pattern=path, skip_corrupt_records=True))
        except UserError as error:
            errors.append(error)
        else:
            check_records(models)
            return models
    raise errors[0]


def check_records(models: Models) -> None:
    """Raises a UserError where clips are something else than whole records."""
    if not all(isinstance(clips.store, RecordStore) for clips in models.readings):
        raise UserError(
            f"{models.opened[0].name} was trained on rated segments, which inference.py predicts, not Beam."
        )


def pieces_of(rows: np.ndarray, predicted: Predicted, shards: PartShards, parts: Sequence[Part]) -> Iterator[Piece]:
    """Cuts what was predicted where parts end.

    Args:
        rows: int64 [n], the record that each row is of, rising.
        predicted: n rows.
        shards: of the parts.
        parts: where the records are from.
    """
    of_part = shards.shard_of(rows)
    found, lows = np.unique(of_part, return_index=True)
    for number, low, high in zip(found.tolist(), lows.tolist(), [*lows[1:].tolist(), len(rows)], strict=False):
        numbers = rows[low:high] - shards.offsets[number] + parts[number].first
        yield Piece(parts[number].input, numbers, packed_rows.packed(predicted.take(slice(low, high))))


def cut_rows(pieces: Path, cuts: Sequence[Cut]) -> Iterator[Predicted]:
    """The rows of the pieces in a file that belong here."""
    for predicted, cut in zip(packed_rows.unpacked([pieces]), cuts, strict=True):
        yield predicted.take(slice(cut.low, cut.high))
