"""Whether a folder holds AudioSet's features whole: every shard, every record, and the labels of the CSVs.

found = check_split(Path("features"), "bal_train", RELEASE, segments=read_segments(...))
found.records, found.faults, found.notes
"""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from yt8m_audio.audioset.features_archive import SHARD_NAME
from yt8m_audio.audioset.features_release import Release, SplitNote
from yt8m_audio.audioset.segments import Segments
from yt8m_audio.errors import UserError
from yt8m_audio.records import Scratch, Shards, index_shards, read_records

CHUNK_BYTES = 8 << 20
CONTEXT = {"video_id": tf.io.FixedLenFeature([], tf.string, ""), "labels": tf.io.VarLenFeature(tf.int64)}
CASELESS_NAMES = 38**2  # of two characters: letters of one case, digits, - and _
NAMED = 3  # of what is wrong, so many are named


@dataclasses.dataclass
class SplitFound:
    """What was found of a split.

    Attributes:
        files: how many hold records.
        repacked: whether they are other files than the release's.
        records: that could be read.
        faults: what is wrong, a line each; nothing where it is whole.
        notes: what is worth knowing, a line each.
    """

    files: int = 0
    repacked: bool = False
    records: int = 0
    faults: list[str] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def noted(self) -> SplitNote:
        """What is to be noted of it."""
        return SplitNote(self.files, self.repacked, self.records)


@dataclasses.dataclass(frozen=True)
class RecordLabels:
    """Ids and labels of records.

    Attributes:
        video_ids: object [n] of bytes.
        values: int64 [sum], class indices, one record's after another's.
        counts: int64 [n], how many each has.
    """

    video_ids: np.ndarray
    values: np.ndarray
    counts: np.ndarray


def check_split(
    out: Path, split: str, release: Release, note: SplitNote | None = None, segments: Segments | None = None
) -> SplitFound:
    """Reads every record of a split.

    Args:
        out: the folder that the splits are in.
        split: which.
        release: what there should be.
        note: what was noted when it was written.
        segments: the CSV's, where it is there.
    """
    paths = sorted(path for path in (out / split).glob("*.tfrecord") if not path.name.startswith("."))
    found = SplitFound(len(paths), repacked=bool(paths) and not SHARD_NAME.fullmatch(paths[0].name))
    wanted = note.files if found.repacked and note else release.shards[split]
    if len(paths) != wanted and (note or not found.repacked):
        found.faults.append(f"{len(paths):,} files of {wanted:,} are there{_case_lost(paths)}.")
    try:
        shards = index_shards([str(path) for path in paths], skip_corrupt=True)
    except UserError as error:
        found.faults.append(str(error))
        return found
    _name(found.faults, "files are cut or damaged", [shards.paths[number] for number in np.flatnonzero(shards.cut)])
    empty = np.flatnonzero((shards.sizes == 0) & ~shards.cut)
    _name(found.faults, "files hold no record", [shards.paths[number] for number in empty])
    labels = _read(shards, found)
    if note and found.records != note.records:
        found.faults.append(f"{found.records:,} records of {note.records:,} are there.")
    if segments is not None:
        _compare(labels, segments, found)
    return found


def _case_lost(paths: list[Path]) -> str:
    """Whether names that differ in case alone became one."""
    names = {path.name.lower() for path in paths}
    lost = len(names) == len(paths) > 0.9 * CASELESS_NAMES
    return ": no two names differ in case alone, so that a file system without case has lost some" if lost else ""


def _name(lines: list[str], what: str, names: list[str]) -> None:
    """Adds a line that counts what is odd, and names the first."""
    if names:
        more = ", ..." if len(names) > NAMED else ""
        lines.append(f"{len(names):,} {what}: {', '.join(names[:NAMED])}{more}.")


def _read(shards: Shards, found: SplitFound) -> RecordLabels:
    """Reads and parses all records; counts those that are whole and says which are not."""
    parts, corrupt, scratch = [], [], Scratch()
    for numbers in shards.chunks(np.arange(len(shards)), CHUNK_BYTES):
        records, whole = read_records(shards, numbers, scratch=scratch)
        corrupt += [_place(shards, number) for number in numbers[~whole]]
        content = [records[number] for number in np.flatnonzero(whole)]
        parts += list(_parsed(content, numbers[whole], shards, corrupt))
    _name(found.faults, "records are corrupt", corrupt)
    found.records = sum(len(part.counts) for part in parts)
    empty = RecordLabels(np.empty(0, object), np.empty(0, np.int64), np.empty(0, np.int64))
    fields = ("video_ids", "values", "counts")
    return RecordLabels(*(np.concatenate([getattr(part, field) for part in [empty, *parts]]) for field in fields))


def _place(shards: Shards, number: int) -> str:
    path, within = shards.place(int(number))
    return f"{path} record {within}"


def _parsed(content: list[bytes], numbers: np.ndarray, shards: Shards, corrupt: list[str]) -> Iterator[RecordLabels]:
    """Parses records; where some of them are no examples, half by half, to find which."""
    if not content:
        return
    try:
        context, _, _ = tf.io.parse_sequence_example(content, CONTEXT, {})
        labels = context["labels"]
        counts = np.bincount(labels.indices[:, 0], minlength=len(content))
        yield RecordLabels(context["video_id"].numpy(), labels.values.numpy(), counts)
    except tf.errors.InvalidArgumentError:
        if len(content) == 1:
            corrupt.append(_place(shards, numbers[0]))
            return
        half = len(content) // 2
        yield from _parsed(content[:half], numbers[:half], shards, corrupt)
        yield from _parsed(content[half:], numbers[half:], shards, corrupt)


def _compare(labels: RecordLabels, segments: Segments, found: SplitFound) -> None:
    """Says where labels, or ids, are others than the CSV's."""
    places = {video_id: row for row, video_id in enumerate(segments.video_ids)}  # a clip is one segment's alone
    rows = np.fromiter(map(places.get, labels.video_ids, itertools.repeat(-1)), np.int64, len(labels.video_ids))  # [n]
    segment_rows = np.repeat(np.arange(len(segments)), segments.label_counts)  # [sum], of the CSV's labels
    known = rows >= 0
    classes = int(max(labels.values.max(initial=0), segments.label_values.max(initial=0))) + 1
    theirs = np.repeat(rows, labels.counts) * classes + labels.values
    there = np.zeros(len(segments), bool)
    there[rows[known]] = True
    ours = segment_rows * classes + segments.label_values
    differing = np.unique(np.setxor1d(theirs[theirs >= 0], ours[there[segment_rows]]) // classes)
    _name(found.faults, "clips have other labels than the CSV", _texts(segments.video_ids[differing]))
    _name(found.faults, "clips are not in the CSV", _texts(labels.video_ids[~known]))
    _name(found.notes, f"of {len(segments):,} clips of the CSV have no features", _texts(segments.video_ids[~there]))


def _texts(ids: np.ndarray) -> list[str]:
    return [each.decode(errors="replace") for each in ids]
