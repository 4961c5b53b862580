"""Files of predictions as arrays: what any system says of clips, to be compared with what is true.

    predictions = read_predictions("predictions.csv")
    predictions.scores.dense(np.array([0, 1]), num_classes=527)       # float32 [2, 527]

CSV, plain or `.csv.gz`, as the starter code and inference.py write it: `VideoId,LabelConfidencePairs`, and the pairs
`class score class score ...`; further columns are passed over.

Parquet: a row a clip (or segment), with the columns

    video_id   string or binary    the clip's id; of segments `id:start`, or the id alone with their start beside it
    start_time float, seconds      looked at where an id comes several times: these are segments, `id:start` then
    labels     list of integers    class indices, each once, in any order
    scores     list of floats      the probability of each of them

or without `labels`, where `scores` lists all C classes in their order. Further columns are passed over.

Scores are probabilities, in [0, 1]. Classes that a row does not list count as 0.
"""

import dataclasses
import functools
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from yt8m_audio.errors import UserError, csv_fault, reason
from yt8m_audio.evaluation.provenance import segment_names
from yt8m_audio.evaluation.sparse_rows import SparseRows, joined, sparse

SUFFIXES = (".csv", ".csv.gz", ".parquet")
VIDEO_ID, PAIRS = "VideoId", "LabelConfidencePairs"
LINES_AT_A_TIME = 8192
ROWS_AT_A_TIME = 1024  # of Parquet, whose rows may list thousands of classes
START_TIME = "start_time"
FIRST_LINE = 2  # below the header
MOST_SHOWN = 60  # letters of a line in an error
MOST_CLASS = 2**31 - 1
BYTE_FOR_BYTE = "latin-1"  # every byte is a letter of its own: ids need not be UTF-8


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Scores by clip.

    Attributes:
        asked: how the file was asked for, for errors.
        video_ids: object [N] of bytes, each once.
        scores: [N, C] of float32, in [0, 1], of the classes that are listed.
    """

    asked: str
    video_ids: np.ndarray
    scores: SparseRows

    def __len__(self) -> int:
        return len(self.video_ids)


def is_prediction_file(path: str) -> bool:
    """Whether a path has the name of a file of predictions."""
    return path.lower().endswith(SUFFIXES)


def read_predictions(path: str, asked: str = "") -> Predictions:
    """Reads a file of predictions.

    Args:
        path: the file; its suffix says which kind it is.
        asked: how it was asked for, such as --predictions=FILE, for errors; the path when empty.

    Raises:
        UserError: if it cannot be read, a row is malformed, or a clip comes twice; it names the row.
    """
    asked = asked or path
    if not Path(path).is_file():
        raise UserError(f"{asked} is no file: name a CSV or Parquet file of predictions.")
    is_parquet = path.lower().endswith(".parquet")
    predictions = _read_parquet(path, asked) if is_parquet else _read_csv(path, asked)
    if not len(predictions):
        raise UserError(f"{asked} holds no predictions.")
    twice = pd.Index(predictions.video_ids).duplicated()
    if is_parquet and twice.any():
        predictions = _by_start(path, predictions)
        twice = pd.Index(predictions.video_ids).duplicated()
    if twice.any():
        row = int(np.argmax(twice))
        name = predictions.video_ids[row].decode(errors="replace")
        place = (_row if is_parquet else _line)(asked, row)
        raise UserError(f"{place}: the clip {name} has been predicted above already.")
    return predictions


# CSV


def _read_csv(path: str, asked: str) -> Predictions:
    """Reads the starter's CSV, some lines at a time."""
    ids, parts = [], [sparse(np.zeros((0, 0), np.float32))]
    for table in _tables(path, asked):
        lines = table.index
        numbers, counts = _numbers(table[PAIRS].tolist(), asked, lines)  # [2 · sum], [n]
        ids += [each.encode(BYTE_FOR_BYTE) for each in table[VIDEO_ID]]
        parts.append(_checked(numbers[0::2], numbers[1::2], counts, functools.partial(_line_of, asked, lines)))
    return Predictions(asked, np.array(ids, object), joined(parts))


def _tables(path: str, asked: str) -> Iterator[pd.DataFrame]:
    """Gives the lines of a CSV that are not blank, some at a time, by their numbers below the header."""
    options = {"dtype": object, "keep_default_na": False, "skip_blank_lines": False, "chunksize": LINES_AT_A_TIME}
    options |= {"encoding": BYTE_FOR_BYTE, "index_col": False}
    try:
        with pd.read_csv(path, **options) as tables:
            for table in tables:
                if not {VIDEO_ID, PAIRS} <= set(table.columns):
                    raise UserError(
                        f"{asked} needs the columns {VIDEO_ID} and {PAIRS}, as inference.py writes them; found "
                        f"{_shortened(', '.join(map(str, table.columns)))}."
                    )
                table = table.fillna("")
                yield table[(table[VIDEO_ID] != "") | (table[PAIRS] != "")]
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise UserError(f"{asked} cannot be read as a CSV: {csv_fault(error)}.") from error


def _numbers(texts: list[str], asked: str, lines: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Parses lists of pairs: their numbers, float64 [2 · sum], one list's after another's, and the pairs, int64 [n]."""
    counts = np.array([text.count(" ") + 1 if text else 0 for text in texts], np.int64)
    numbers = _parsed(" ".join(filter(None, texts)))
    if len(numbers) != counts.sum() or (counts % 2).any():
        row = next((number for number, text in enumerate(texts) if not _are_pairs(text)), 0)
        raise UserError(f"{_line(asked, lines[row])}: no pairs of a class and a score: '{_shortened(texts[row])}'.")
    return numbers, counts // 2


def _parsed(text: str) -> np.ndarray:
    """The numbers at the beginning of a text, float64."""
    with warnings.catch_warnings(action="ignore"):  # that it is not all of it, which the count tells
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except ValueError:
            return np.zeros(0)


def _are_pairs(text: str) -> bool:
    """Whether a text is an even number of numbers, with one space between."""
    count = text.count(" ") + 1 if text else 0
    return count % 2 == 0 and len(_parsed(text)) == count


# Parquet


def _read_parquet(path: str, asked: str) -> Predictions:
    """Reads a Parquet file, some rows at a time."""
    file, names = _parquet_file(path, asked)
    read = _read_listed if "labels" in names else _read_all
    try:
        return Predictions(asked, *read(file, asked))
    except (OSError, _arrow_exception()) as error:
        raise _no_parquet(asked, error) from error


def _read_listed(file, asked: str) -> tuple[np.ndarray, SparseRows]:
    """Ids and scores of rows that list classes."""
    ids, parts = [], [sparse(np.zeros((0, 0), np.float32))]
    for rows in file.iter_batches(ROWS_AT_A_TIME, columns=["video_id", "labels", "scores"]):
        place = functools.partial(_row_after, asked, len(ids))
        ids += _ids(rows, place)
        classes, num_labels = _lists(rows, "labels", asked)
        scores, counts = _lists(rows, "scores", asked)
        _check_alike(num_labels, counts, "labels and {} scores", place)
        parts.append(_checked(classes, scores, counts, place))
    return np.array(ids, object), joined(parts)


def _read_all(file, asked: str) -> tuple[np.ndarray, SparseRows]:
    """Ids and scores of rows that list all classes: float32 is all that is kept of them."""
    ids, table = [], None
    for rows in file.iter_batches(ROWS_AT_A_TIME, columns=["video_id", "scores"]):
        done, place = len(ids), functools.partial(_row_after, asked, len(ids))
        ids += _ids(rows, place)
        scores, counts = _lists(rows, "scores", asked)
        if table is None:
            table = np.empty((file.metadata.num_rows, counts[0]), np.float32)
        _check_alike(counts, np.full_like(counts, table.shape[1]), "scores, and the first row has {}", place)
        table[done : len(ids)].flat = _checked(None, scores, counts, place).values
    table = np.empty((0, 0), np.float32) if table is None else table
    return np.array(ids, object), SparseRows(None, table.ravel(), np.full(len(table), table.shape[1]))


def _by_start(path: str, predictions: Predictions) -> Predictions:
    """The same with the names of segments for ids, where the file says when each row starts."""
    file, columns = _parquet_file(path, predictions.asked)
    if START_TIME not in columns:
        return predictions
    starts = file.read([START_TIME])[START_TIME].to_numpy()
    if starts.dtype.kind not in "iuf" or not np.isfinite(starts).all():
        raise UserError(f"{predictions.asked}: the column {START_TIME} must hold seconds, one for each row.")
    return dataclasses.replace(predictions, video_ids=segment_names(predictions.video_ids, starts))


def _parquet_file(path: str, asked: str) -> tuple:
    """A Parquet file, and the names of its columns."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise UserError(f"{asked}: Parquet needs pyarrow: pip install 'yt8m-audio[report]'.") from None
    try:
        file = parquet.ParquetFile(path)  # one file: a path may look like a partition of a set
    except (OSError, _arrow_exception()) as error:
        raise _no_parquet(asked, error) from error
    found = file.schema_arrow.names
    if not {"video_id", "scores"} <= set(found):
        raise UserError(
            f"{asked} needs the columns video_id and scores, and labels where a row does not list all classes; "
            f"found {_shortened(', '.join(found))}."
        )
    return file, found


def _arrow_exception() -> type[Exception]:
    import pyarrow as pa

    return pa.ArrowException


def _no_parquet(asked: str, error: Exception) -> UserError:
    why = reason(error) if getattr(error, "errno", None) else "it is no Parquet file, or damaged"
    return UserError(f"{asked} cannot be read as Parquet: {why}.")


def _ids(rows, place: Callable) -> list[bytes]:
    """The column of ids."""
    column = rows["video_id"]
    ids = [each.encode() if isinstance(each, str) else each for each in column.to_pylist()]
    wrong = next((row for row, each in enumerate(ids) if not isinstance(each, bytes)), None)
    if wrong is not None and ids[wrong] is None:
        raise UserError(f"{place(wrong)}: it has no video_id.")
    if wrong is not None:
        raise UserError(f"{place(wrong)}: video_id must be a string or binary; found {column.type}.")
    return ids


def _lists(rows, name: str, asked: str) -> tuple[np.ndarray, np.ndarray]:
    """A column of lists of numbers: all values [sum], nan where one is missing, and the lists' lengths, int64 [n]."""
    import pyarrow as pa
    import pyarrow.compute

    column = rows[name]
    try:
        counts = pa.compute.fill_null(pa.compute.list_value_length(column), 0).to_numpy()
        values = pa.compute.list_flatten(column).to_numpy(zero_copy_only=False)
    except (pa.ArrowException, TypeError):
        values = np.empty(0, object)
    if values.dtype.kind not in "iuf":
        raise UserError(f"{asked}: the column {name} must hold lists of numbers; found {column.type}.")
    return values, counts.astype(np.int64)


def _check_alike(counts: np.ndarray, others: np.ndarray, said: str, place: Callable) -> None:
    """Raises a UserError about the first row of which two counts, int64 [n], differ."""
    differ = counts != others
    if differ.any():
        row = int(np.argmax(differ))
        raise UserError(f"{place(row)}: it has {counts[row]} {said.format(others[row])}.")


# What may be wrong


def _checked(classes: np.ndarray | None, scores: np.ndarray, counts: np.ndarray, place: Callable) -> SparseRows:
    """Makes rows of the numbers that a file lists.

    Args:
        classes: [sum], or None.
        scores: [sum].
        counts: int64 [n], how many each row has.
        place: says where a row is.

    Raises:
        UserError: about the first class or score that is none.
    """
    faults = [(~((scores >= 0) & (scores <= 1)), scores, "a score that is not in 0 to 1")]
    if classes is not None:
        is_class = (classes >= 0) & (classes <= MOST_CLASS) & (classes == np.floor(classes))
        faults += [(~is_class, classes, "a class that is no whole number from 0")]
    for wrong, values, why in faults:
        if wrong.any():
            where = int(np.argmax(wrong))
            row = int(np.searchsorted(np.cumsum(counts), where, side="right"))
            raise UserError(f"{place(row)}: {why}: {values[where]:g}.")
    if classes is not None:
        classes = classes.astype(np.int32)
        _check_once(classes, np.repeat(np.arange(len(counts)), counts), place)
    return SparseRows(classes, scores.astype(np.float32, copy=False), counts)


def _check_once(classes: np.ndarray, rows: np.ndarray, place: Callable) -> None:
    """Raises a UserError about a class, int32 [sum], that a row lists twice."""
    entries = rows * (np.int64(classes.max(initial=0)) + 1) + classes
    ordered = np.sort(entries)
    again = np.diff(ordered) == 0
    if again.any():
        where = int(np.argmax(entries == ordered[np.argmax(again)]))
        raise UserError(f"{place(rows[where])}: class {classes[where]} is listed twice.")


def _line(asked: str, row: int) -> str:
    return f"{asked}, line {row + FIRST_LINE}"


def _line_of(asked: str, lines: pd.Index, row: int) -> str:
    return _line(asked, lines[row])


def _row(asked: str, row: int) -> str:
    return f"{asked}, row {row + 1}"


def _row_after(asked: str, before: int, row: int) -> str:
    return _row(asked, before + row)


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
