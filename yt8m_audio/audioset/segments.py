"""AudioSet's lists of segments: which seconds of which video, and what is heard there.

# Segments csv created Sun Mar  5 10:54:25 2017
# num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804
# YTID, start_seconds, end_seconds, positive_labels
--4gqARaEJE, 0.000, 10.000, "/m/068hy,/m/07q6cd_,/m/0bt9lr,/m/0jbk"

segments = read_segments("eval_segments.csv", class_ids_for("", 527), "eval_data_pattern")
"""

import dataclasses

import numpy as np
import pandas as pd

from yt8m_audio.audioset.class_ids import places_of
from yt8m_audio.errors import UserError, csv_fault

COLUMNS = ("video_id", "start", "end", "labels")
COMMENT = "#"


@dataclasses.dataclass(frozen=True)
class Segments:
    """A list of segments.

    Attributes:
        video_ids: object [n] of bytes.
        start_times: float32 [n], seconds.
        end_times: float32 [n], seconds.
        label_values: int32 [sum], class indices, one segment's after another's.
        label_counts: int64 [n], how many each has.
    """

    video_ids: np.ndarray
    start_times: np.ndarray
    end_times: np.ndarray
    label_values: np.ndarray
    label_counts: np.ndarray

    def __len__(self) -> int:
        return len(self.video_ids)


def is_segments_file(path: str) -> bool:
    """Whether a path has the name of a list of segments, and not of records."""
    return path.lower().endswith(".csv")


def read_segments(path: str, ids: tuple[str, ...], flag: str) -> Segments:
    """Reads a list of segments.

    Args:
        path: the CSV.
        ids: of the classes, by index (see yt8m_audio.audioset.class_ids).
        flag: the flag that gave the path, for errors.

    Raises:
        UserError: if it is none, or a line is malformed or names a class that there is not; it says which line.
    """
    places, table, asked = places_of(ids, flag, path), _read(path, flag), f"--{flag}={path}"
    label_values, label_counts = _labels(table["labels"].str.strip(), places, asked)
    return Segments(
        video_ids=np.array([each.encode() for each in table["video_id"].str.strip()], object),
        start_times=_seconds(table["start"], asked),
        end_times=_seconds(table["end"], asked),
        label_values=label_values,
        label_counts=label_counts,
    )


def _read(path: str, flag: str) -> pd.DataFrame:
    """The lines that are neither comments nor blank, as text, by their numbers in the file."""
    options = {"dtype": str, "keep_default_na": False, "skipinitialspace": True, "skip_blank_lines": False}
    try:
        with open(path, encoding="utf-8") as file:
            comments = next((number for number, line in enumerate(file) if not line.startswith(COMMENT)), 0)
        table = pd.read_csv(path, header=None, skiprows=comments, index_col=False, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"--{flag}={path} cannot be read as a list of segments: {csv_fault(error)}.") from error
    if len(table.columns) != len(COLUMNS):
        raise UserError(
            f'--{flag}={path} is no list of AudioSet\'s segments: lines are ID, START, END, "LABEL,LABEL"; found '
            f"{len(table.columns)} columns."
        )
    table = table.set_axis(list(COLUMNS), axis=1).set_index(table.index + comments + 1).fillna("")
    return table[(table != "").any(axis=1)]


def _labels(texts: pd.Series, places: dict[str, int], asked: str) -> tuple[np.ndarray, np.ndarray]:
    """Class indices int32 [sum] of a column of ids with commas between, and how many each has, int64 [n]."""
    counts = (texts.str.count(",") + (texts != "")).to_numpy(np.int64)
    named = [label.strip() for text in texts[counts > 0] for label in text.split(",")]
    values = np.array([places.get(label, -1) for label in named], np.int32)
    if (values < 0).any():
        wrong = int(np.argmax(values < 0))
        line = np.repeat(texts.index, counts)[wrong]
        raise UserError(f"{asked}, line {line}: {named[wrong] or 'an empty label'} is no class.")
    return values, counts


def _seconds(column: pd.Series, asked: str) -> np.ndarray:
    """A column of times as float32 [n]."""
    times = pd.to_numeric(column, errors="coerce").to_numpy(np.float32)
    wrong = ~np.isfinite(times)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(f"{asked}, line {column.index[row]}: '{column.iloc[row]}' is no time in seconds.")
    return times
