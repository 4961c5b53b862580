"""A teacher: the probabilities that another model gave to the clips, from a file that inference.py wrote.

teacher = read_teacher("predictions.csv", num_classes=527)
teacher = teacher.only(video_ids)                     # of the clips that one trains on
teacher.join(clips.shuffled(...), weight=0.5)         # the same batches with `teacher` and `teacher_weights`

The file is `VideoId,LabelConfidencePairs`, the pairs `class probability class probability ...`; further columns are
passed over. It stays sparse until a batch is made: the best k classes of two million clips take 160 MB for each 10.
"""

import csv
import dataclasses
import io
import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import tensorflow as tf

from yt8m_audio.batch import device_part
from yt8m_audio.errors import UserError

VIDEO_ID, PAIRS = "VideoId", "LabelConfidencePairs"
LINES_AT_A_TIME = 8192
FIRST_LINE = 2  # below the header
PREFETCHED = 2
BATCHES_AT_A_TIME = 2  # that the teacher is joined to
NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
MOST_SHOWN = 60  # letters of a line in an error


@dataclasses.dataclass(frozen=True)
class Teacher:
    """Probabilities by clip.

    Attributes:
        path: the file they are from.
        video_ids: object [N] of bytes, each once.
        classes: int32 [N, k]; 0 where a clip has fewer pairs.
        probabilities: float32 [N, k] in [0, 1]; 0 where a clip has fewer pairs.
        num_classes: C.
    """

    path: str
    video_ids: np.ndarray
    classes: np.ndarray
    probabilities: np.ndarray
    num_classes: int

    def __len__(self) -> int:
        return len(self.video_ids)

    def only(self, video_ids: np.ndarray) -> "Teacher":
        """Returns what it knows of some clips, object [n] of bytes."""
        known = pd.Index(self.video_ids).isin(video_ids)
        kept = {name: getattr(self, name)[known] for name in ("video_ids", "classes", "probabilities")}
        return dataclasses.replace(self, **kept)

    def join(self, dataset: tf.data.Dataset, weight: float) -> tf.data.Dataset:
        """Adds the probabilities to batches by their `video_id`, and leaves out what stays on the host.

        Args:
            dataset: batches (see yt8m_audio.batch).
            weight: of the teacher, in [0, 1], against that of the labels.

        Returns:
            The same batches with `teacher` float32 [B, C], 0 for classes that are not among a clip's pairs, and
            `teacher_weights` float32 [B]: 0 for clips that the teacher does not know.
        """
        rows = tf.constant(np.arange(len(self), dtype=np.int64))
        entries = tf.lookup.KeyValueTensorInitializer(tf.constant(self.video_ids), rows)
        table = tf.lookup.StaticHashTable(entries, default_value=-1)
        classes, probabilities = tf.constant(self.classes), tf.constant(self.probabilities)

        def with_teacher(batch):
            row = table.lookup(batch["video_id"])  # [B]
            known, row = row >= 0, tf.maximum(row, 0)
            batch_size, num_pairs = batch["video_id"].shape[0], classes.shape[1]
            clip = tf.repeat(tf.range(batch_size), num_pairs)  # [B · k]
            places = tf.stack([clip, tf.reshape(tf.gather(classes, row), [-1])], axis=1)  # [B · k, 2]
            values = tf.reshape(tf.gather(probabilities, row), [-1])
            dense = tf.scatter_nd(
                places, values, [batch_size, self.num_classes]
            )  # adds up: a class comes once, or is 0
            joined = {
                "teacher": tf.where(known[:, None], dense, 0.0),
                "teacher_weights": tf.where(known, weight, 0.0),
            }
            return {**device_part(batch), **joined}

        joined = dataset.map(with_teacher, num_parallel_calls=BATCHES_AT_A_TIME, deterministic=True)
        return joined.prefetch(PREFETCHED)


def read_teacher(path: str, num_classes: int) -> Teacher:
    """Reads the CSV that inference.py writes.

    Args:
        path: the file.
        num_classes: C; classes are 0 to C - 1.

    Raises:
        UserError: if it cannot be read, a line is malformed, or a clip comes twice; it names the file and the line.
    """
    parts = [_parsed(path, first, table, num_classes) for first, table in _read(path) if len(table)]
    if not parts:
        raise UserError(f"--teacher={path} holds no predictions.")
    video_ids, classes, probabilities = (list(each) for each in zip(*parts, strict=True))
    video_ids = np.concatenate(video_ids)
    twice = pd.Index(video_ids).duplicated()
    if twice.any():
        line = int(np.argmax(twice))
        raise _malformed(path, line, f"the clip {video_ids[line].decode(errors='replace')} is on an earlier line too")
    return Teacher(path, video_ids, _stacked(classes), _stacked(probabilities), num_classes)


def _read(path: str) -> Iterator[tuple[int, pd.DataFrame]]:
    """Gives the lines of the file, some at a time, each with the number of lines before them."""
    options = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False, "chunksize": LINES_AT_A_TIME}
    try:
        with pd.read_csv(path, **options) as tables:
            first = 0
            for table in tables:
                _check_columns(path, table)
                yield first, table.fillna("")
                first += len(table)
    except (OSError, ValueError) as error:
        raise UserError(f"--teacher={path} cannot be read as a CSV: {str(error).strip()}") from error


def _check_columns(path: str, table: pd.DataFrame) -> None:
    """Raises a UserError unless these are columns of predictions."""
    if not {VIDEO_ID, PAIRS} <= set(table.columns):
        raise UserError(
            f"--teacher={path} needs the columns {VIDEO_ID} and {PAIRS}, as inference.py writes them; found "
            f"{_shortened(', '.join(map(str, table.columns)))}."
        )
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes what is one cell too long for names of rows
        raise _malformed(path, 0, "it has more cells than the header")


def _parsed(path: str, first: int, table: pd.DataFrame, num_classes: int) -> tuple[np.ndarray, ...]:
    """Parses some lines: ids, object [n] of bytes; classes and probabilities, each [n, k], padded with 0."""
    texts = table[PAIRS].tolist()
    numbers = _numbers(path, first, texts)  # [n, 2k]
    classes, probabilities = numbers[:, 0::2], numbers[:, 1::2]
    for wrong, why in _faults(classes, probabilities, num_classes):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise _malformed(path, first + row, f"{why} in '{_shortened(texts[row])}'")
    video_ids = np.array([each.encode() for each in table[VIDEO_ID]], object)
    return video_ids, np.nan_to_num(classes).astype(np.int32), np.nan_to_num(probabilities).astype(np.float32)


def _numbers(path: str, first: int, texts: list[str]) -> np.ndarray:
    """Parses lists of numbers with spaces between, float64 [n, an even number]; nan where a list is shorter."""
    width = max(text.count(" ") for text in texts) + 1
    names = range(width + width % 2)
    options = {"sep": " ", "header": None, "names": names, "dtype": np.float64, "quoting": csv.QUOTE_NONE}
    options |= {"keep_default_na": False, "na_values": [""], "skip_blank_lines": False}
    try:
        return pd.read_csv(io.StringIO("\n".join([*texts, ""])), **options).to_numpy()
    except ValueError:
        row = next((number for number, text in enumerate(texts) if not _are_numbers(text)), 0)
        raise _malformed(path, first + row, f"not all are numbers in '{_shortened(texts[row])}'") from None


def _faults(classes: np.ndarray, probabilities: np.ndarray, num_classes: int) -> Iterator[tuple[np.ndarray, str]]:
    """Gives what may be wrong with lines, of classes and probabilities [n, k], nan where there is none: bool [n]."""
    there = ~np.isnan(classes)
    counts = there.sum(axis=1, keepdims=True)  # [n, 1]
    one_after_another = there == (np.arange(there.shape[1]) < counts)
    in_pairs = one_after_another & (there == ~np.isnan(probabilities))
    yield ~in_pairs.all(axis=1) | (counts[:, 0] == 0), "no pairs of a class and a probability"
    is_class = (classes >= 0) & (classes < num_classes) & (classes == np.floor(classes))
    yield (there & ~is_class).any(axis=1), f"a class that is not in 0 to {num_classes - 1}"
    yield (there & ~((probabilities >= 0) & (probabilities <= 1))).any(axis=1), "a probability that is not in 0 to 1"
    ordered = np.sort(classes, axis=1)  # nan last
    yield (ordered[:, 1:] == ordered[:, :-1]).any(axis=1), "a class that comes twice"


def _are_numbers(text: str) -> bool:
    """Whether there is nothing but numbers, and spaces, in a text."""
    return all(NUMBER.fullmatch(each) for each in text.split())


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """Puts arrays [n_i, k_i] on top of each other, the narrow ones padded with 0."""
    stacked = np.zeros((sum(map(len, parts)), max(each.shape[1] for each in parts)), parts[0].dtype)
    first = 0
    for each in parts:
        stacked[first : first + len(each), : each.shape[1]] = each
        first += len(each)
    return stacked


def _malformed(path: str, row: int, why: str) -> UserError:
    return UserError(f"--teacher={path}, line {row + FIRST_LINE}: {why}.")


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
