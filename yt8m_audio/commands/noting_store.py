"""Records of parts, read so that one that fails is a row that is not real, noted with the reason, and never an error.

shards = shards_of(parts)
store = NotingStore(shards, reader)
rows = store.fetch(np.arange(len(shards)))
store.failed                                # {7: "it does not match its checksum"}
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from readers import Reader
from readers.rows import Rows
from readers.stores import RecordStore
from readers.wire import MalformedRecord
from yt8m_audio.beam.job import Part
from yt8m_audio.errors import UserError
from yt8m_audio.records import HEAD_BYTES, Records, Scratch, Shards, read_records

CHECKSUM = "it does not match its checksum"
NOT_FINITE = "its features are not finite"


@dataclasses.dataclass(frozen=True)
class PartShards(Shards):
    """Parts of shards as shards, whose records keep their numbers.

    Attributes:
        firsts: number of each part's first record within its shard.
        totals: how many records the shard of each part has.
    """

    firsts: Sequence[int] = ()
    totals: Sequence[int] = ()

    @property
    def sizes(self) -> np.ndarray:
        """Records of each part's whole shard, int64 [parts]."""
        return np.array(self.totals, np.int64)

    def place(self, number: int) -> tuple[str, int]:
        """A record's file, and its number in there."""
        path, record = super().place(number)
        return path, record + self.firsts[int(self.shard_of(np.array([number]))[0])]

    def byte_offset(self, number: int) -> int:
        """Where a record begins in its file, framing counted."""
        bare = self.bare[int(self.shard_of(np.array([number]))[0])]
        return int(self.starts[number]) - (0 if bare else HEAD_BYTES)


def shards_of(parts: Sequence[Part]) -> PartShards:
    """The records of parts, one part's after another's."""
    runs = [each.content for each in parts]
    return PartShards(
        tuple(run.path for run in runs),
        np.concatenate([[0], np.cumsum([each.count for each in parts])]).astype(np.int64),
        np.concatenate([run.starts for run in runs]),
        np.concatenate([run.ends for run in runs]),
        np.array([run.bare for run in runs], bool),
        np.zeros(len(runs), bool),
        firsts=tuple(each.first for each in parts),
        totals=tuple(run.of for run in runs),
    )


class NotingStore(RecordStore):
    """Records, of which those that cannot be read or parsed are rows that are not real.

    Args:
        shards: where they lie.
        reader: parses them.

    Attributes:
        failed: why, by the record's number, of those that were come across.
        num_frames: int32 [records], of those that were fetched; -1 of the others.
    """

    def __init__(self, shards: PartShards, reader: Reader):
        super().__init__(shards, reader, skip_corrupt=True)
        self.failed: dict[int, str] = {}
        self.num_frames = np.full(len(shards), -1, np.int32)

    def fetch_at_once(self, numbers: np.ndarray, features: np.ndarray | None = None) -> Rows:
        """Reads all and then parses all, into an array of features where one is given."""
        rows = super().fetch_at_once(numbers, features)
        self.num_frames[numbers] = np.where(rows.real, rows.num_frames, -1)
        return rows

    def parsed(self, numbers: np.ndarray, parse: Callable) -> tuple:
        """What `parse` gives of those records that it takes; and which they are, bool [n]."""
        with self._scratch() as scratch:
            records, kept = self._read(numbers, scratch)
            while True:
                try:
                    found = parse(records)
                    if isinstance(found, Rows):
                        check_rows(found, self.reader.data.num_classes)
                    break
                except MalformedRecord as error:
                    self.failed[int(numbers[kept[error.number]])] = error.why
                    others = np.delete(np.arange(len(kept)), error.number)
                    records, kept = records.only(others), kept[others]
        real = np.zeros(len(numbers), bool)
        real[kept] = True
        return found, real

    def _read(self, numbers: np.ndarray, scratch: Scratch) -> tuple[Records, np.ndarray]:
        """The records that can be read, and their places among the numbers, int64 [m]."""
        threads, places = self.reader.data.num_readers, np.arange(len(numbers))
        try:
            records, whole = read_records(self.shards, numbers, threads, scratch)
        except UserError:
            places = np.flatnonzero(self._readable(numbers, scratch))
            records, whole = read_records(self.shards, numbers[places], threads, scratch)
        for number in numbers[places[~whole]].tolist():
            self.failed[number] = CHECKSUM
        return records.only(whole), places[whole]

    def _readable(self, numbers: np.ndarray, scratch: Scratch) -> np.ndarray:
        """Which records are in files that can be read, bool [n]; notes the others."""
        readable, shard = np.ones(len(numbers), bool), self.shards.shard_of(numbers)
        for each in np.unique(shard):
            try:
                read_records(self.shards, numbers[shard == each], self.reader.data.num_readers, scratch)
            except UserError as error:
                readable[shard == each] = False
                self.failed |= dict.fromkeys(numbers[shard == each].tolist(), str(error))
        return readable


def check_rows(rows: Rows, num_classes: int) -> None:
    """Raises MalformedRecord of the first row with a label that is no class, or a feature that is not finite."""
    values = rows.labels.values
    beyond = (values < 0) | (values >= num_classes)
    if beyond.any():
        wrong = int(np.argmax(beyond))
        raise MalformedRecord(rows.labels.rows[wrong], f"label {values[wrong]} is not in 0 to {num_classes - 1}")
    if rows.features.dtype != np.uint8:
        finite = np.isfinite(rows.features).reshape(len(rows), -1).all(axis=1)
        if not finite.all():
            raise MalformedRecord(np.argmin(finite), NOT_FINITE)
