"""Records of one's own data: a CSV with a row a clip and one array a clip become shards, with their label map.

    written = write_records("clips.csv", "features.npz", "records", make_label_map=True)
    print(*written.lines(), sep="\n")          # the last one is the train command to type next

clips.csv      video_id,labels            columns for start and end, in seconds, may be there too
               clip-1,rain;wind           labels: names, mids or class indices, with ';' between several
               clip-2,"Whoosh, swoosh"    a name with a comma, and so the cell, stands in quotes
               clip-3,                    no labels
features.npz   clip-1, clip-2, ...        or a folder of clip-1.npy, ...: floats or uint8, [frames, features]

AudioSet's own segments CSV is taken as it is. What is written is read as AudioSet's frame records are.
"""

import contextlib
import csv
import dataclasses
import glob
import math
import os
import shlex
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from yt8m_audio.errors import UserError, nearest
from yt8m_audio.examples import frames_record
from yt8m_audio.labels import AUDIOSET_LABEL_MAP, read_label_map
from yt8m_audio.records import write_shard

COLUMNS = {  # what a column may be called, in any case; where a CSV has several of them, the first one here counts
    "id": ("video_id", "ytid", "id"),
    "labels": ("labels", "positive_labels", "label"),
    "start": ("start_time_seconds", "start_seconds", "start_time", "start"),
    "end": ("end_time_seconds", "end_seconds", "end_time", "end"),
}
COMMA_SEPARATED = "positive_labels"  # AudioSet's own column: mids, which hold no commas
MIDS = ("mid", "KnowledgeGraphId")
LABEL_MAP = "class_labels_indices.csv"
SHARD_CLIPS, MOST_SHARDS = 2_000, 16
BATCH_SIZES = (16, 32, 64, 128, 256, 512)
EPOCH_STEPS = 16  # at least, where there are clips enough for that
SHORT_CLIP_FRAMES = 10  # a longer clip is kept whole only where --max_frames says so
MANY_EXTREMES = 0.1  # share of quantised values at either end that is spoken of


def write_records(
    clips: str,
    arrays: str,
    output: str,
    *,
    label_map: str = "",
    make_label_map: bool = False,
    shards: int | None = None,
    quantize: Callable[[np.ndarray], np.ndarray] | None = None,
    feature_name: str = "audio_embedding",
    progress: Callable[[int], None] = lambda done: None,
) -> "Written":
    """Writes the clips of a CSV as AudioSet-like records, with the label map beside them: whole or not at all.

    Args:
        clips: the CSV.
        arrays: .npz file, or folder of ID.npy files.
        output: folder for the shards; there must be none, or an empty one.
        label_map: CSV of the classes; AudioSet's own when empty.
        make_label_map: make the label map of the labels found, sorted.
        shards: how many; one for about 2,000 clips when None, and 16 at most.
        quantize: makes bytes of float frames; they stay float32 when None.
        feature_name: name of the feature list.
        progress: called before each clip with how many are done.

    Raises:
        UserError: about what does not fit; it names the line, id or key, and nothing is left behind.
    """
    check_feature_name(feature_name)
    if make_label_map and label_map:
        raise UserError("--make_label_map makes a label map, --label_map names one: give one of them.")
    rows = read_clips(clips)
    num_shards = fitting_shards(shards, len(rows))
    classes = Classes.found(rows) if make_label_map else Classes.read(label_map)
    labels = [classes.indices(row) for row in rows]
    with opened_arrays(arrays) as source, whole_folder(output) as folder:
        check_keys(rows, source)
        classes.save(folder / LABEL_MAP)
        features = Features(source, quantize)

        def record(number):
            progress(features.clips)
            return to_record(rows[number], labels[number], features.of(rows[number]), feature_name)

        for shard in range(num_shards):
            numbers = range(shard, len(rows), num_shards)  # dealt out in turn: a CSV may be sorted by class
            write_shard(str(folder / f"{shard:05d}-of-{num_shards:05d}.tfrecord"), map(record, numbers))
    warnings = [*classes.warnings(rows), *features.warnings(len(rows))]
    labelled = sum(map(bool, labels))
    return Written(output, feature_name, labelled, num_shards, len(classes.names), features, warnings)


def check_feature_name(name: str) -> None:
    """Raises a UserError about a name that --feature_names could not be given."""
    if not name or "," in name or name != name.strip():
        raise UserError(f"--feature_name={name} is no name of a feature: give one word, such as audio_embedding.")


def fitting_shards(asked: int | None, num_clips: int) -> int:
    """How many shards to write.

    Raises:
        UserError: if not as many can be filled as are asked for.
    """
    if asked is None:
        return min(-(-num_clips // SHARD_CLIPS), MOST_SHARDS)
    if not 1 <= asked <= num_clips:
        raise UserError(f"--shards={asked} must be at least 1 and at most the number of clips, {num_clips}.")
    return asked


def to_record(row: "ClipRow", labels: Sequence[int], frames: np.ndarray, feature_name: str) -> bytes:
    """Serialises a clip; a frame is taken to last a second where the row does not say when the clip ends."""
    end = row.start + len(frames) if row.end is None else row.end
    context = {"video_id": row.video_id, "start_time_seconds": row.start, "end_time_seconds": end}
    return frames_record(context, labels, {feature_name: frames})


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


# The CSV


@dataclasses.dataclass(frozen=True, slots=True)
class ClipRow:
    """A row of the CSV.

    Attributes:
        file: the CSV.
        line: the row's line in it, from 1.
        video_id: the clip's id.
        labels: the labels as they are written.
        start: where the clip begins, in seconds.
        end: where it ends, or None where that is not said.
    """

    file: str
    line: int
    video_id: str
    labels: tuple[str, ...]
    start: float
    end: float | None

    @property
    def place(self) -> str:
        """Says where the row is."""
        return f"{self.file}, line {self.line}"


def read_clips(path: str) -> list[ClipRow]:
    """Reads the CSV of clips.

    Raises:
        UserError: if it cannot be read, lacks a column, has no rows, or a row is wrong.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(_rows(path, csv.reader(file, skipinitialspace=True, strict=True)))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: save it as a CSV in UTF-8.") from error
    if not rows:
        raise UserError(f"{path} has no rows: a header, then a row a clip, are wanted.")
    first_lines: dict[str, int] = {}
    for row in rows:
        first = first_lines.setdefault(row.video_id, row.line)
        if first != row.line:
            raise UserError(f"{row.place}: the id {row.video_id} was on line {first} already; each clip has its own.")
    return rows


def _rows(path: str, reader) -> Iterator[ClipRow]:
    """The rows behind the header."""
    columns, width = None, 0
    try:
        for cells in reader:
            if not any(cells):
                continue
            if columns is not None:
                yield _row(path, reader.line_num, cells, columns, width)
            elif not cells[0].startswith("#") or "YTID" in cells[0]:  # AudioSet's header is its third comment
                columns, width = _columns(path, cells), len(cells)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num} is no line of a CSV: {error}.") from error


def _columns(path: str, header: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Where each column is, and what it is called: "id" -> (0, "video_id")."""
    names = [name.strip("# ").lower() for name in header]
    found = {
        key: next((names.index(name), name) for name in spellings if name in names)
        for key, spellings in COLUMNS.items()
        if set(spellings) & set(names)
    }
    for key in ("id", "labels"):
        if key not in found:
            raise UserError(
                f"{path} has no column {' or '.join(COLUMNS[key])}: its header is '{','.join(header)}'. "
                "The columns video_id and labels are needed, with commas between; a clip's labels may be empty."
            )
    return found


def _row(path: str, line: int, cells: Sequence[str], columns: dict[str, tuple[int, str]], width: int) -> ClipRow:
    """Makes a row of its cells; missing ones at the end are empty."""
    if len(cells) > width:
        raise UserError(
            f"{path}, line {line} has {len(cells)} cells, the header {width}: a cell with a comma in it needs quotes, "
            "and ';' stands between labels."
        )
    cells = [*cells, *[""] * (width - len(cells))]
    values = {key: cells[number].strip() for key, (number, _) in columns.items()}
    if not values["id"]:
        raise UserError(f"{path}, line {line} has no id.")
    separator = "," if columns["labels"][1] == COMMA_SEPARATED else ";"
    start, end = (_seconds(path, line, key, values.get(key, "")) for key in ("start", "end"))
    if end is not None and end < (start or 0.0):
        raise UserError(f"{path}, line {line}: the clip ends at {end:g}, before it begins.")
    return ClipRow(path, line, values["id"], _split(values["labels"], separator), start or 0.0, end)


def _split(text: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _seconds(path: str, line: int, column: str, text: str) -> float | None:
    """A time, or None where there is none."""
    try:
        seconds = float(text) if text else None
    except ValueError:
        seconds = math.nan
    if seconds is not None and not 0 <= seconds < math.inf:
        raise UserError(f"{path}, line {line}: {column} is '{text}', which is no number of seconds.")
    return seconds


# The classes


@dataclasses.dataclass(frozen=True)
class Classes:
    """The classes, and by what they may be called.

    Attributes:
        names: display names by index.
        index: class index by name, mid, or the index itself as text.
        path: the label map; "" where it is made of the labels found.
        is_own: whether the user gave it, or had it made.
    """

    names: tuple[str, ...]
    index: dict[str, int]
    path: str
    is_own: bool

    @classmethod
    def read(cls, path: str) -> "Classes":
        """Reads a label map; AudioSet's own where no path is given.

        Raises:
            UserError: if it cannot be read.
        """
        file = path or str(AUDIOSET_LABEL_MAP)
        names = read_label_map(file).names
        count = Counter(names)
        index = {str(number): number for number in range(len(names))} | _mids(file)
        index |= {name: number for number, name in enumerate(names) if count[name] == 1}
        return cls(names, index, file, is_own=bool(path))

    @classmethod
    def found(cls, rows: Sequence[ClipRow]) -> "Classes":
        """Makes classes of the labels found, in order.

        Raises:
            UserError: if there are none, or a label looks like several.
        """
        labels = {label for row in rows for label in row.labels}
        if not labels:
            raise UserError(f"--make_label_map: {rows[0].file} has no labels to make a label map of.")
        for row in rows:
            for label in row.labels:
                if "," in label and labels.issuperset(_split(label, ",")):
                    raise UserError(f"{row.place}: '{label}' would be a class of its own: put ';' between labels.")
        names = sorted(labels, key=int if all(map(_is_index, labels)) else None)
        return cls(tuple(names), {name: number for number, name in enumerate(names)}, "", is_own=True)

    def indices(self, row: ClipRow) -> list[int]:
        """The class indices of a row's labels, in rising order.

        Raises:
            UserError: if a label is of no class.
        """
        found = set()
        for label in row.labels:
            parts = (label,) if label in self.index else _split(label, ",")  # commas do where they leave no doubt
            if not parts or not all(part in self.index for part in parts):
                raise UserError(f"{row.place}: {self._unknown(label)}")
            found.update(self.index[part] for part in parts)
        return sorted(found)

    def _unknown(self, label: str) -> str:
        """What is said of a label that is of no class."""
        if label in self.names:
            return f"'{label}' is the name of several classes of {self.path}: give the index or the mid."
        if self.is_own:
            return f"'{label}' is no class of {self.path}.{nearest(label, self.names)}"
        return (
            f"'{label}' is no class of AudioSet.{nearest(label, self.names)} If the classes are your own, give "
            "--label_map=FILE, or --make_label_map to make one of the labels found."
        )

    def save(self, path: Path) -> None:
        """Writes the label map, or a copy of it."""
        if self.path:
            shutil.copyfile(self.path, path)
            return
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("index", "display_name"))
            writer.writerows(enumerate(self.names))

    def warnings(self, rows: Sequence[ClipRow]) -> Iterator[str]:
        """Says what may not be as it was meant, a line each."""
        labels = {label for row in rows for label in row.labels}
        if not self.is_own and labels and all(map(_is_index, labels)):
            yield "the labels are numbers, and were taken as AudioSet's class indices; --label_map names others."
        unlabelled = sum(not row.labels for row in rows)
        if unlabelled:
            yield f"without a label: {unlabelled:,} of {_count(len(rows), 'clip', 'clips')}."


def _is_index(label: str) -> bool:
    return label.isascii() and label.isdigit()


def _mids(path: str) -> dict[str, int]:
    """Class indices by mid, where a label map has mids."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    index = table["index"] if "index" in table else table["Index"]
    columns = [table[name] for name in MIDS if name in table]
    return {mid: int(float(number)) for mids in columns for mid, number in zip(mids, index, strict=True) if mid}


# The arrays


@dataclasses.dataclass(frozen=True)
class ArraySource:
    """Where the arrays are.

    Attributes:
        path: the .npz or the folder.
        keys: ids of the arrays.
        load: reads one.
    """

    path: str
    keys: frozenset[str]
    load: Callable[[str], np.ndarray]


@contextlib.contextmanager
def opened_arrays(path: str) -> Iterator[ArraySource]:
    """Opens an .npz file, or a folder of ID.npy files. Pickled objects are never read.

    Raises:
        UserError: if it is neither.
    """
    if os.path.isdir(path):
        names = [name.removesuffix(".npy") for name in os.listdir(path) if name.endswith(".npy")]
        folder = Path(path)
        yield ArraySource(path, frozenset(names), lambda key: np.load(folder / f"{key}.npy", allow_pickle=False))
        return
    if not os.path.exists(path):
        raise UserError(f"{path}: there is no such file: give an .npz file, or a folder of ID.npy files.")
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is no .npz file: save a dict of arrays with np.savez(FILE, **arrays), by id.")
    try:
        file = np.load(path, allow_pickle=False)
    except (ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is no whole .npz file: {error}.") from error
    with file:
        yield ArraySource(path, frozenset(file.files), file.__getitem__)


def check_keys(rows: Sequence[ClipRow], source: ArraySource) -> None:
    """Raises a UserError unless every clip has an array."""
    missing = [row for row in rows if row.video_id not in source.keys]
    if missing:
        some = f"the arrays there are named such as '{min(source.keys)}'" if source.keys else "it holds no arrays"
        raise UserError(
            f"{missing[0].place}: {source.path} has no array for {missing[0].video_id}; {len(missing):,} of "
            f"{len(rows):,} clips have none, and {some}."
        )


class Features:
    """Reads the frames of clips, sees to it that they are alike, and keeps count.

    Args:
        source: where the arrays are.
        quantize: makes bytes of float frames, or None.
    """

    def __init__(self, source: ArraySource, quantize: Callable[[np.ndarray], np.ndarray] | None = None):
        self.source, self.quantize = source, quantize
        self.clips, self.first_key, self.size, self.dtype = 0, "", 0, ""
        self.shortest, self.longest = math.inf, 0  # clip, in frames
        self.quantized, self.extremes = 0, 0  # values

    def of(self, row: ClipRow) -> np.ndarray:
        """Reads a clip's frames, uint8 or float32 [frames, features].

        Raises:
            UserError: if its array is not such that it can be written; it names the id.
        """
        try:
            frames = as_frames(self._load(row.video_id))
        except UserError as error:
            raise UserError(f"{self.source.path}, array {row.video_id} {error}") from error.__cause__
        if self.quantize and frames.dtype != np.uint8:
            frames = self.quantize(frames)
            self.quantized += frames.size
            self.extremes += int(np.count_nonzero((frames == 0) | (frames == 255)))
        self._check_alike(row.video_id, frames)
        self.clips += 1
        self.shortest, self.longest = min(self.shortest, len(frames)), max(self.longest, len(frames))
        return frames

    def _load(self, key: str) -> np.ndarray:
        try:
            return self.source.load(key)
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            if "pickle" in str(error):
                raise UserError("holds Python objects, which are not unpickled: save numbers of one type.") from error
            raise UserError(
                f"cannot be read: {str(error).splitlines()[0] if str(error) else 'it is damaged'}."
            ) from error

    def _check_alike(self, key: str, frames: np.ndarray) -> None:
        """Raises a UserError if frames are not such as the first clip's."""
        size, dtype = frames.shape[1], str(frames.dtype)
        if not self.clips:
            self.first_key, self.size, self.dtype = key, size, dtype
        if size != self.size:
            raise UserError(
                f"{self.source.path}, array {key} has {size} features a frame, but {self.first_key} has {self.size}: "
                "all clips need the same."
            )
        if dtype != self.dtype:
            raise UserError(
                f"{self.source.path}, array {key} is {dtype}, but {self.first_key} is {self.dtype}: all clips need the "
                "same type, or --quantize to make bytes of the floats."
            )

    def warnings(self, num_clips: int) -> Iterator[str]:
        """Says what may not be as it was meant, a line each."""
        unused = len(self.source.keys) - num_clips
        if unused:
            yield f"left out of {self.source.path}, for want of a row in the CSV: {_count(unused, 'array', 'arrays')}."
        share = self.extremes / max(1, self.quantized)
        if share > MANY_EXTREMES:
            yield (
                f"--quantize: {share:.0%} of the values were at or beyond the ends of [-2, 2], and were clipped: scale "
                "the features, or leave --quantize out."
            )


def as_frames(array: np.ndarray) -> np.ndarray:
    """Makes frames of a clip's array: uint8 or float32 [frames, features]; a vector becomes one frame.

    Raises:
        UserError: if that cannot be done without guessing.
    """
    if not isinstance(array, np.ndarray):
        raise UserError("is no array.")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise UserError(
            f"is {array.dtype}: features are floats, or uint8 where they are quantised bytes; convert it with "
            ".astype(np.float32)."
        )
    if array.ndim not in (1, 2) or not array.size:
        raise UserError(f"has the shape {list(array.shape)}: [frames, features] or [features] is wanted, and no 0.")
    frames = np.atleast_2d(array)
    if frames.dtype == np.uint8:
        return frames
    with np.errstate(over="ignore"):
        frames = frames.astype(np.float32)
    wrong = ~np.isfinite(frames).all(axis=1)
    if wrong.any():
        raise UserError(f"holds NaN or infinite values, first in frame {int(np.argmax(wrong))}.")
    return frames


# What is written


@contextlib.contextmanager
def whole_folder(path: str) -> Iterator[Path]:
    """Gives a folder to fill, and renames it to `path` if all went well: whole or not at all.

    Raises:
        UserError: if there is something at `path` other than an empty folder, or it cannot be written.
    """
    if "://" in path:
        raise UserError(f"{path}: records are written to a folder of this machine; copy them from there.")
    folder = Path(path).resolve()
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{path} is there already and is not an empty folder: give another one, or remove it.")
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        partial.mkdir(parents=True)
        yield partial
        os.rename(partial, folder)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        folder: where it is.
        feature_name: name of the feature list.
        labelled: how many clips have labels.
        shards: how many shards.
        num_classes: classes of the label map.
        features: what was read.
        warnings: a line each.
    """

    folder: str
    feature_name: str
    labelled: int
    shards: int
    num_classes: int
    features: Features
    warnings: list[str]

    def lines(self) -> list[str]:
        """Says what was written, and what to type next."""
        features = self.features
        frames = f"{features.longest:,}"
        if features.shortest < features.longest:
            frames = f"{features.shortest:,} to {frames}"
        return [
            f"Wrote {_count(features.clips, 'clip', 'clips')} of {_count(self.num_classes, 'class', 'classes')} to "
            f"{self.folder}, in {_count(self.shards, 'shard', 'shards')}; {self.feature_name} {features.dtype} "
            f"[{frames}, {features.size}].",
            f"Next: {self.train_command() if self.labelled else self.inference_command()}",
        ]

    def train_command(self) -> str:
        """The command that trains on what was written."""
        size = max([size for size in BATCH_SIZES if size * EPOCH_STEPS <= self.features.clips], default=BATCH_SIZES[0])
        flags = [
            f"--train_data_pattern={self._pattern()}",
            f"--num_classes={self.num_classes}",
            f"--label_map={shlex.quote(os.path.join(self.folder, LABEL_MAP))}",
            "--frame_features",
            "--model=FrameLevelLogisticModel",
            f"--batch_size={size}",
        ]
        if self.feature_name != "audio_embedding":
            flags.append(f"--feature_names={shlex.quote(self.feature_name)}")
        if self.features.longest > SHORT_CLIP_FRAMES:
            flags.append(f"--max_frames={self.features.longest}")
        return " ".join(["python train.py", *flags])

    def inference_command(self) -> str:
        """The command that predicts what was written."""
        return (
            f"python inference.py --train_dir=RUN --input_data_pattern={self._pattern()} --output_file=predictions.csv "
            "--label_names"
        )

    def _pattern(self) -> str:
        """The glob of the shards, in quotes for a shell."""
        pattern = os.path.join(glob.escape(self.folder), "*.tfrecord")
        return shlex.quote(pattern.replace(",", "?"))  # a comma would begin another glob
