"""YouTube-8M's segments of 2019: frame-level records in which people rated five-second segments for some classes.

context  id, labels, segment_labels (classes), segment_start_times (seconds), segment_end_times,
         segment_scores (1 where the class is true of the segment, 0 where not), one of each a rating

Each segment is a clip: its frames, the classes that were rated (its label_weights), and which of them are true. In a
record without ratings, as in the test split, the segments are those that follow one another from the first frame on.
"""

from typing import NamedTuple

import numpy as np

from readers.reader import FrameReader
from readers.rows import Ragged, gather
from readers.wire import MalformedRecord, ParsedRecords
from yt8m_audio.records import Records
from yt8m_audio.registry import register_reader


class Segments(NamedTuple):
    """The segments of some records.

    Attributes:
        record: int64 [s], which record each is in.
        start: int64 [s], its first frame, which is its second.
        labels: the classes that were rated of each.
        scores: uint8 [sum], whether each of these is true.
    """

    record: np.ndarray
    start: np.ndarray
    labels: Ragged
    scores: np.ndarray


@register_reader
class Youtube8mSegmentReader(FrameReader):
    """Reads YouTube-8M's frame-level records by segments, where --segment_labels asks for it."""

    features = ("rgb", "audio")
    by_segment = True

    @classmethod
    def matches(cls, example, data):
        return any(name in example.feature_lists.feature_list for name in cls.features) and data.segment_labels

    def segments(self, records: Records) -> Segments:
        """Finds the segments of records, by record and start.

        Raises:
            MalformedRecord: if a record does not hold as many starts and scores as labels.
        """
        parsed = ParsedRecords(records.buffer, records.starts, records.ends)
        labels, starts = parsed.integers("segment_labels"), parsed.integers("segment_start_times")
        scores = parsed.floats("segment_scores")
        _check_counts(labels.counts, starts.counts, scores.counts)
        _check_values(starts, "segment_start_times")
        _check_values(labels, "segment_labels")
        unrated = self._consecutive(parsed, np.flatnonzero(starts.counts == 0))
        record = np.concatenate([starts.rows, unrated.rows])
        start = np.concatenate([starts.values, unrated.values])
        classes, values = np.full(len(record), -1), np.zeros(len(record))  # the class -1 is none
        has_rating = np.flatnonzero(np.repeat(labels.counts > 0, starts.counts))
        classes[has_rating], values[has_rating] = labels.values, scores.values
        return _grouped(record, start, classes, values)

    def _consecutive(self, parsed: ParsedRecords, records: np.ndarray) -> Ragged:
        """Starts of the segments of records without ratings, [n] lists; the last segment may be short."""
        num_frames = np.minimum(parsed.num_frames(self.data.names[0]), self.data.max_frames)
        counts = np.zeros(len(num_frames), np.int64)
        counts[records] = -(-num_frames[records] // self.data.segment_size)
        everything = np.arange(counts.max(initial=0)) * self.data.segment_size
        return gather(everything, np.zeros(len(counts), np.int64), counts)


def _check_counts(labels: np.ndarray, starts: np.ndarray, scores: np.ndarray) -> None:
    """Ratings are parallel lists; a record may also name segments without any rating."""
    odd = (labels != scores) | ((labels != starts) & (labels > 0))
    if odd.any():
        number = int(np.argmax(odd))
        raise MalformedRecord(
            number,
            f"it holds {labels[number]} segment_labels, {starts[number]} segment_start_times and "
            f"{scores[number]} segment_scores, which must be as many",
        )


def _check_values(numbers: Ragged, name: str) -> None:
    """Seconds and classes count from 0."""
    if len(numbers.values) and numbers.values.min() < 0:
        wrong = int(np.argmin(numbers.values))
        raise MalformedRecord(int(numbers.rows[wrong]), f"its {name} hold {numbers.values[wrong]}")


def _grouped(record: np.ndarray, start: np.ndarray, classes: np.ndarray, values: np.ndarray) -> Segments:
    """Groups ratings by segment."""
    order = np.lexsort((start, record))  # stable
    record, start, classes, values = record[order], start[order], classes[order], values[order]
    first = np.ones(len(record), bool)
    first[1:] = (record[1:] != record[:-1]) | (start[1:] != start[:-1])
    segment = np.cumsum(first) - 1
    rated = classes >= 0
    counts = np.bincount(segment[rated], minlength=int(first.sum()))
    labels = Ragged(classes[rated].astype(np.int64), counts)
    return Segments(record[first], start[first], labels, (values[rated] > 0.5).astype(np.uint8))
