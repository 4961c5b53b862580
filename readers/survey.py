"""What a data set holds, and what is broken in it: every record is read once, some at a time.

    report = survey("bal_train/*.tfrecord")      # a dict that can be written as JSON
    report["clips"], report["corrupt"], report["flags"]

A corrupt shard or record is counted and named, and no error. A packed folder is told of in the same words.
"""

import dataclasses
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from readers.packed import Packed, is_packed, read_packed
from readers.reader import LONG_CLIP_FRAMES, SHORT_CLIP_FRAMES, YT8M_CLASSES, Reader, resolve
from readers.stores import Arrays, ArrayStore
from readers.wire import MalformedRecord, ParsedRecords
from readers.youtube8m_frames import Youtube8mFrameReader
from readers.youtube8m_segments import Youtube8mSegmentReader
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.labels import LabelMap, label_map_for, read_label_map
from yt8m_audio.records import Records, Shards, find_shards, index_shards, read_records
from yt8m_audio.registry import READERS

CHUNK_BYTES = 16 << 20  # read at a time
EXAMPLES, EXAMPLE_BYTES = 1024, 8 << 20  # most records that tell of keys, types and sizes
FIRST = 5  # of what is wrong, so many are named
SHOWN_CLASSES = 10
YT8M_NUM_CLASSES = (YT8M_CLASSES, 4716, 4800)  # of 2018 on, 2017, 2016
MOST_CLASSES = 1 << 17  # a label from here on is damage
NAME_LENGTH = 2  # AudioSet's shards are named after the first letters of the ids in them
CASELESS_SHARDS = range(1400, 38**2 + 1)  # what is left of a split's 4,096 where aB and Ab are one name
NO_FAULT = {"count": 0, "first": []}


def survey(pattern: str, label_map: str = "", progress: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Looks through a data set.

    Args:
        pattern: glob of its shards, or a packed folder.
        label_map: CSV that names the classes; AudioSet's own for 527 classes when empty.
        progress: told how far it is.

    Raises:
        UserError: if there are no such shards, or the label map cannot be read.
    """
    labels = read_label_map(label_map) if label_map else None
    if is_packed(pattern):
        return _packed_report(pattern, read_packed(pattern), labels)
    paths = found_shards(pattern)
    faults = {name: Faults() for name in ("unreadable", "empty", "cut", "checksum", "malformed")}
    _note_empty(pattern, paths, faults["empty"])
    shards = _index(paths, faults)
    tally = RecordTally(shards, faults)
    for numbers in shards.chunks(np.arange(len(shards)), CHUNK_BYTES):
        tally.add(numbers)
        progress(f"{numbers[-1] + 1:,} of {len(shards):,} records")
    return _records_report(pattern, tally, labels)


# Shards


def found_shards(pattern: str) -> list[str]:
    """Returns the shards of a glob, without empty ones.

    Raises:
        UserError: if there are none.
    """
    try:
        return find_shards(pattern, "pattern")
    except UserError as error:  # the glob is an argument here, and no flag
        raise UserError(str(error).removeprefix("--pattern=")) from None


def _index(paths: list[str], faults: dict[str, "Faults"]) -> Shards:
    """Indexes those of the shards that can be read."""
    try:
        shards = index_shards(paths, skip_corrupt=True)
    except UserError:
        readable = list(_readable(paths, faults["unreadable"]))
        shards = index_shards(readable, skip_corrupt=True)
    for number in np.flatnonzero(shards.cut):
        whole = int(shards.sizes[number])
        faults["cut"].add(f"{shards.paths[number]}: {f'cut behind {whole} whole records' if whole else 'no TFRecord'}")
    return shards


def _readable(paths: list[str], faults: "Faults") -> Iterator[str]:
    """Leaves out the shards that cannot be opened, halving the list until they are found."""
    try:
        index_shards(paths, skip_corrupt=True)
    except UserError as error:
        if len(paths) == 1:
            faults.add(str(error))
            return
        yield from _readable(paths[: len(paths) // 2], faults)
        yield from _readable(paths[len(paths) // 2 :], faults)
        return
    yield from paths


def _note_empty(pattern: str, filled: list[str], faults: "Faults") -> None:
    """Names the files that a glob matches and that hold no byte."""
    parts = [part.strip() for part in pattern.split(",") if part.strip() and not part.strip().startswith("http")]
    found = {path for part in parts for path in tf.io.gfile.glob(part)} - set(filled)
    for path in sorted(found):
        if not tf.io.gfile.isdir(path):
            faults.add(path)


# Counting


class Faults:
    """How often something is wrong, and where it was first."""

    def __init__(self):
        self.count, self.first = 0, []

    def add(self, where: str) -> None:
        """Counts one."""
        self.count += 1
        if len(self.first) < FIRST:
            self.first.append(where)

    def to_dict(self) -> dict[str, Any]:
        """Returns the number and the first names."""
        return {"count": self.count, "first": self.first}


class Histogram:
    """How often each whole number was seen."""

    def __init__(self):
        self.counts: Counter[int] = Counter()

    def add(self, values: np.ndarray) -> None:
        """Counts values, int [n]."""
        found, counts = np.unique(values, return_counts=True)
        self.counts.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def summary(self) -> dict[str, float] | None:
        """Returns the least, median, mean and most; None when nothing was counted."""
        values = np.array(sorted(self.counts), np.int64)
        if not len(values):
            return None
        counts = np.array([self.counts[value] for value in values.tolist()])
        total, behind = int(counts.sum()), np.cumsum(counts)
        middle = values[np.searchsorted(behind, [(total - 1) // 2, total // 2], side="right")].mean()
        mean = round(float(values @ counts) / total, 2)
        return {"least": int(values[0]), "median": _number(middle), "mean": mean, "most": int(values[-1])}


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else float(value)


@dataclasses.dataclass
class Tally:
    """What was counted of clips, whatever they come from.

    Attributes:
        clips: how many.
        unnamed: those without an id.
        frames: of each clip; none at video level.
        labels_per_clip: of each clip.
        classes: clips of each class.
        hashes: of the ids, int64 arrays; 0 stands for no id.
    """

    clips: int = 0
    unnamed: int = 0
    frames: Histogram = dataclasses.field(default_factory=Histogram)
    labels_per_clip: Histogram = dataclasses.field(default_factory=Histogram)
    classes: Histogram = dataclasses.field(default_factory=Histogram)
    hashes: list[np.ndarray] = dataclasses.field(default_factory=list)

    def add(self, ids: np.ndarray, values: np.ndarray, counts: np.ndarray, num_frames: np.ndarray | None) -> None:
        """Counts clips: their ids [n], labels [sum of counts], labels each [n], and frames [n]."""
        self.clips += len(ids)
        self.unnamed += int((ids == b"").sum())
        self.hashes.append(np.fromiter((hash(each) if each else 0 for each in ids), np.int64, len(ids)))
        self.labels_per_clip.add(counts)
        found, classes = np.unique(values, return_inverse=True)
        pairs = np.unique(np.repeat(np.arange(len(counts)), counts) * max(1, len(found)) + classes)
        self.classes.add(found[pairs % len(found)] if len(found) else found)
        if num_frames is not None:
            self.frames.add(num_frames)

    def repeated(self) -> np.ndarray:
        """Returns the clips whose id another one before them has, int64, in order."""
        hashes = np.concatenate([np.zeros(0, np.int64), *self.hashes])
        order = np.argsort(hashes, kind="stable")
        again = np.flatnonzero((np.diff(hashes[order]) == 0) & (hashes[order][1:] != 0)) + 1
        return np.sort(order[again])


class RecordTally(Tally):
    """What was counted of records.

    Args:
        shards: where they lie.
        faults: takes up what is wrong with them.

    Attributes:
        reader: of the first records' family; None while none is known.
        examples: the first records.
        stranger: what is said of records of no known family.
        segments: segments that were rated, their ratings, and how many of these are true.
        rated: segments of each class that were rated for it.
    """

    def __init__(self, shards: Shards, faults: dict[str, Faults]):
        super().__init__()
        self.shards, self.faults = shards, faults
        self.reader: Reader | None = None
        self.examples: list[tf.train.SequenceExample] = []
        self.stranger = ""
        self.segments = np.zeros(3, np.int64)
        self.rated = Histogram()
        self.numbers: list[np.ndarray] = []  # of the clips counted
        self.stems = np.array([_stem(path) for path in shards.paths], f"S{NAME_LENGTH}")
        self.named_right = np.zeros(len(shards.paths), np.int64)
        self.damaged_shards: set[int] = set()

    def add(self, numbers: np.ndarray) -> None:
        """Reads and counts records, int64 [n]."""
        records, whole = read_records(self.shards, numbers)
        for number in numbers[~whole].tolist():
            self._note("checksum", number)
        records, numbers = records.only(whole), numbers[whole]
        if not self.examples:
            self._recognise(records, numbers)
        if len(numbers):
            self._take(records, numbers)

    def _note(self, fault: str, number: int, why: str = "") -> None:
        path, record = self.shards.place(number)
        self.damaged_shards.add(int(self.shards.shard_of(np.array([number]))[0]))
        self.faults[fault].add(f"{path}, record {record}{why and f': {why}'}")

    def _recognise(self, records: Records, numbers: np.ndarray) -> None:
        """Finds out the family from the first records that are any."""
        sizes = np.cumsum(records.ends - records.starts)
        some = min(EXAMPLES, max(1, int(np.searchsorted(sizes, EXAMPLE_BYTES))))
        parsed = {number: _parsed(records[number]) for number in range(min(some, len(records)))}
        good = [number for number, each in parsed.items() if each is not None]
        if not good:
            return
        self.examples = [parsed[number] for number in good]
        path, _ = self.shards.place(int(numbers[good[0]]))
        try:
            data = resolve(DataConfig(), [_unlabelled(each).SerializeToString() for each in self.examples], path)
            self.reader = READERS.get(data.reader)(data)
        except UserError as error:
            self.stranger = str(error)

    def _take(self, records: Records, numbers: np.ndarray) -> None:
        """Counts records; one that does not parse is found by halving."""
        try:
            ids, labels, num_frames = self._parse(records)
        except MalformedRecord as error:
            if len(numbers) == 1:
                self._note("malformed", int(numbers[0]), error.why)
                return
            first, last = np.array_split(np.arange(len(numbers)), 2)
            self._take(records.only(first), numbers[first])
            self._take(records.only(last), numbers[last])
            return
        super().add(ids, labels.values, labels.counts, num_frames)
        self.numbers.append(numbers)
        shard = self.shards.shard_of(numbers)
        fits = (ids != b"") & (ids.astype(f"S{NAME_LENGTH}") == self.stems[shard])
        self.named_right += np.bincount(shard[fits], minlength=len(self.stems))

    def _parse(self, records: Records) -> tuple:
        """Ids, labels and numbers of frames of records, all checked against what the first ones are."""
        parsed = ParsedRecords(records.buffer, records.starts, records.ends)
        reader = self.reader
        ids = parsed.strings(*(reader.id_keys if reader else Reader.id_keys))
        labels, num_frames = parsed.integers("labels"), None
        if reader and reader.level == "video":
            for name, size in zip(reader.data.names, reader.data.sizes, strict=True):
                parsed.float_vectors(name, size)
        elif reader:
            data = reader.data
            num_frames = parsed.num_frames(data.names[0])
            parsed.frames(data.names, data.sizes, data.types, 1)  # all frames are checked, though one is copied
            if isinstance(reader, Youtube8mFrameReader) and parsed.integers("segment_labels").counts.any():
                self._count_segments(records)
        return ids, labels, num_frames

    def _count_segments(self, records: Records) -> None:
        segments = Youtube8mSegmentReader(self.reader.data).segments(records)
        rated = int((segments.labels.counts > 0).sum())
        self.segments += [rated, len(segments.scores), int(segments.scores.sum())]
        self.rated.add(segments.labels.values)

    def misnamed(self) -> tuple[int, list[str]]:
        """Counts shards that hold ids which do not begin as the shard is named, where most do; and names the first."""
        numbers = np.concatenate([np.zeros(0, np.int64), *self.numbers])
        clips = np.bincount(self.shards.shard_of(numbers), minlength=len(self.stems))
        wrong = (clips > 0) & (self.named_right < clips)
        if wrong.sum() * 2 >= (clips > 0).sum():
            return 0, []
        return int(wrong.sum()), [self.shards.paths[shard] for shard in np.flatnonzero(wrong)[:FIRST]]

    def repeated_ids(self) -> dict[str, Any]:
        """Counts clips whose id came before, and names the first of them."""
        again = self.repeated()
        numbers = np.concatenate([np.zeros(0, np.int64), *self.numbers])[again[:FIRST]]
        records, _ = read_records(self.shards, numbers)
        parsed = ParsedRecords(records.buffer, records.starts, records.ends)
        ids = parsed.strings(*(self.reader or Reader).id_keys) if len(numbers) else []
        return {"count": len(again), "first": [each.decode(errors="replace") for each in ids]}


def _stem(path: str) -> bytes:
    """A shard's name as far as ids are compared with it; nothing where it is longer or shorter."""
    stem = os.path.basename(path).removesuffix(".tfrecord").encode()
    return stem if len(stem) == NAME_LENGTH else b""


def _parsed(serialized: bytes) -> tf.train.SequenceExample | None:
    """A record's protocol buffer, None where it is none."""
    try:
        return tf.train.SequenceExample.FromString(serialized)
    except Exception:  # protobuf's DecodeError lies elsewhere in each of its versions
        return None


def _unlabelled(example: tf.train.SequenceExample) -> tf.train.SequenceExample:
    """A record without its labels, which may be none: they are counted, and no error."""
    copy = tf.train.SequenceExample.FromString(example.SerializeToString())
    if "labels" in copy.context.feature:
        copy.context.feature["labels"].Clear()
    return copy


# Reporting


def _records_report(pattern: str, tally: RecordTally, labels: LabelMap | None) -> dict[str, Any]:
    """The report on records."""
    shards, reader = tally.shards, tally.reader
    misnamed, first = tally.misnamed()
    report = {
        "pattern": pattern,
        **_family(reader),
        "clips": tally.clips,
        "shards": len(shards.paths) + tally.faults["unreadable"].count,
        "records": len(shards),
        "bytes": int((shards.ends - shards.starts).sum()),
        "keys": _keys(tally.examples),
        "features": _features(reader.data) if reader else [],
        **_counts_report(tally, reader, labels, tally.rated),
        "ids": {"missing": tally.unnamed, "repeated": tally.repeated_ids()},
        "segments": dict(zip(("rated", "ratings", "true"), tally.segments.tolist(), strict=True)),
        "corrupt": {name: faults.to_dict() for name, faults in tally.faults.items()},
        "misnamed_shards": {"count": misnamed, "first": first},
    }
    notes = [*_notes(report), *_caseless_notes(shards.paths)]
    notes += [tally.stranger] if tally.stranger else []
    segments = bool(tally.segments[0])
    flags = _flags(report, segments) if reader else ""
    return {**report, "notes": notes, "flags": flags}


def _packed_report(path: str, packed: Packed, labels: LabelMap | None) -> dict[str, Any]:
    """The report on a packed folder."""
    arrays, tally, data = packed.arrays, Tally(), packed.data
    ids = np.asarray(arrays.video_id).astype(object)
    reader = READERS.get(data.reader)(data)
    true = ArrayStore(arrays, path, reader).labels()  # of segments, those that are
    is_frames = arrays.features.ndim == 3
    tally.add(ids, true.values, true.counts, np.asarray(arrays.num_frames) if is_frames else None)
    repeated = [] if data.segment_labels else tally.repeated()  # segments of one video share its id
    report = {
        "pattern": path,
        **_family(reader),
        "packed": {
            **{field: getattr(data, field) for field in ("reader", "num_classes", "max_frames", "segment_labels")},
            "features": [*arrays.features.shape],
            "dtype": str(arrays.features.dtype),
        },
        "clips": tally.clips,
        "shards": 1,
        "records": tally.clips,
        "bytes": int(arrays.features.nbytes),
        "keys": {},
        "features": _features(data),
        **_counts_report(tally, reader, labels, Histogram(), data.num_classes),
        "ids": {
            "missing": tally.unnamed,
            "repeated": {"count": len(repeated), "first": [ids[row].decode() for row in repeated[:FIRST]]},
        },
        "segments": _packed_segments(arrays),
        "corrupt": {},
        "misnamed_shards": NO_FAULT,
    }
    return {**report, "notes": _notes(report), "flags": _flags(report, data.segment_labels)}


def _packed_segments(arrays: Arrays) -> dict[str, int]:
    """Counts the segments of a packed folder."""
    if arrays.label_scores is None:
        return {"rated": 0, "ratings": 0, "true": 0}
    scores = np.asarray(arrays.label_scores)
    return {"rated": int((arrays.label_counts > 0).sum()), "ratings": len(scores), "true": int(scores.sum())}


def _family(reader: Reader | None) -> dict[str, str]:
    """Names of a family: that of the file which reads it, and of the class there."""
    module = type(reader).__module__.rpartition(".")[2] if reader else "unknown"
    return {
        "family": module,
        "reader": type(reader).__name__ if reader else "",
        "level": reader.level if reader else "",
    }


def _keys(examples: Sequence[tf.train.SequenceExample]) -> dict[str, dict[str, str]]:
    """The first records' keys with the types of what they hold."""
    context, lists = {}, {}
    for example in examples:
        for key, feature in example.context.feature.items():
            context[key] = _type(feature) or context.get(key, "")
        for key, each in example.feature_lists.feature_list.items():
            lists[key] = (each.feature and _type(each.feature[0])) or lists.get(key, "")
    return {"context": dict(sorted(context.items())), "feature_lists": dict(sorted(lists.items()))}


def _type(feature: tf.train.Feature) -> str:
    """What a feature holds: bytes, float, int64, or nothing."""
    return (feature.WhichOneof("kind") or "").removesuffix("_list")


def _features(data: DataConfig) -> list[dict[str, Any]]:
    """The features that are read, with their types and sizes."""
    each = zip(data.names, data.types, data.sizes, strict=True)
    return [{"name": name, "type": kind, "size": size} for name, kind, size in each]


def _counts_report(
    tally: Tally, reader: Reader | None, labels: LabelMap | None, rated: Histogram, num_classes: int | None = None
) -> dict[str, Any]:
    """What was counted: frames, labels and classes."""
    seen = tally.classes.counts + rated.counts
    default = num_classes or (reader or Reader).num_classes
    num_classes = len(labels) if labels else num_classes_for(default, max(filter(_is_class, seen), default=0))
    labels = labels or label_map_for("", num_classes)
    inside = {index: count for index, count in tally.classes.counts.items() if 0 <= index < num_classes}
    rising = sorted(inside.items(), key=lambda each: (each[1], each[0]))
    falling = sorted(inside.items(), key=lambda each: (-each[1], each[0]))
    outside = sorted(set(seen) - set(range(num_classes)))

    def named(pairs):
        return [{"index": i, "name": labels.names[i] if labels else "", "clips": count} for i, count in pairs]

    return {
        "frames": tally.frames.summary(),
        "labels_per_clip": {**(tally.labels_per_clip.summary() or {}), "none": tally.labels_per_clip.counts[0]},
        "classes": {
            "num_classes": num_classes,
            "family_default": (reader or Reader).num_classes,
            "seen": len(inside),
            "never": num_classes - len(inside),
            "most_frequent": named(falling[:SHOWN_CLASSES]),
            "rarest": named(rising[:SHOWN_CLASSES]),
            "out_of_range": {"count": sum(seen[index] for index in outside), "first": outside[:FIRST]},
            "counts": dict(sorted(inside.items())),
        },
    }


def _is_class(label: int) -> bool:
    return 0 <= label < MOST_CLASSES


def num_classes_for(default: int, largest: int) -> int:
    """The number of classes to train with: the family's, or else the next that holds the largest label."""
    return next((each for each in (default, *YT8M_NUM_CLASSES) if largest < each), largest + 1)


def _notes(report: dict[str, Any]) -> list[str]:
    """What a reader of the report may stumble over, a line each."""
    return [*_label_notes(report), *_id_notes(report), *_damage_notes(report)]


def _label_notes(report: dict[str, Any]) -> list[str]:
    """What there is to say of the labels."""
    classes, notes = report["classes"], []
    outside, family = classes["out_of_range"], classes["family_default"]
    if 0 < report["clips"] == report["labels_per_clip"]["none"] and not report["segments"]["rated"]:
        notes.append(
            "No clip has a label, so nothing can be learnt: predict them with "
            "`python inference.py --train_dir=RUN --input_data_pattern=...`."
        )
    if outside["count"]:
        what = f"{outside['count']:,} labels are no class in 0 to {classes['num_classes'] - 1}"
        notes.append(f"{what}: {_listed(outside)}. train.py stops at them.")
    if classes["num_classes"] > family:
        notes.append(f"There are labels beyond the {family:,} classes that records of this family have.")
    return notes


def _id_notes(report: dict[str, Any]) -> list[str]:
    """What there is to say of the clips' ids, and of the shards named after them."""
    missing, repeated = report["ids"]["missing"], report["ids"]["repeated"]
    misnamed, notes = report["misnamed_shards"], []
    if missing:
        notes.append(f"{missing:,} clips have no id: they are named after their files.")
    if repeated["count"]:
        notes.append(f"{repeated['count']:,} clips have an id that came before: {_listed(repeated)}.")
    if misnamed["count"]:
        what = f"{misnamed['count']:,} shards hold ids that do not begin as the shard is named"
        notes.append(f"{what}: {_listed(misnamed)}.")
    return notes


def _damage_notes(report: dict[str, Any]) -> list[str]:
    """What train.py does about records that are damaged, or long."""
    corrupt, frames, notes = report["corrupt"], report["frames"], []
    stops = sum(corrupt.get(name, NO_FAULT)["count"] for name in ("malformed", "unreadable"))
    if stops:
        notes.append("train.py stops at what is unreadable or malformed, with --skip_corrupt_records too.")
    if frames and frames["most"] > LONG_CLIP_FRAMES:
        notes.append(f"train.py keeps {LONG_CLIP_FRAMES} frames of a clip where --max_frames is not given.")
    return notes


def _listed(found: dict[str, Any]) -> str:
    """The first of something, and that there are more."""
    return ", ".join(map(str, found["first"])) + (", …" if found["count"] > len(found["first"]) else "")


def _caseless_notes(paths: Sequence[str]) -> list[str]:
    """Tells of folders whose shards may have been written over one another, as upper and lower case were one."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        if _stem(path):
            folders.setdefault(os.path.dirname(path), []).append(_stem(path).decode(errors="replace").lower())
    return [
        f"{folder}: {len(names):,} shards, no two of which differ by case alone. Of AudioSet's 4,062 to 4,096 a split "
        "so many are left where a file system takes aB and Ab for one name: unpack the archive on another one."
        for folder, names in folders.items()
        if len(names) in CASELESS_SHARDS and len(set(names)) == len(names)
    ]


def _flags(report: dict[str, Any], segments: bool) -> str:
    """The flags to train with, as they are typed."""
    features, is_frames = report["features"], report["level"] == "frame"
    flags = [
        f"--train_data_pattern={quoted(report['pattern'])}",
        f"--feature_names={','.join(each['name'] for each in features)}",
        f"--feature_sizes={','.join(str(each['size']) for each in features)}",
    ]
    if any(each["type"] != "uint8" for each in features) and is_frames:
        flags.append(f"--feature_types={','.join(each['type'] for each in features)}")
    flags.append(f"--num_classes={report['classes']['num_classes']}")
    flags += ["--segment_labels"] if segments else []
    most = report["frames"]["most"] if is_frames and not segments else 0
    flags += [f"--max_frames={most}"] if most > SHORT_CLIP_FRAMES else []
    stops = sum(report["corrupt"].get(name, NO_FAULT)["count"] for name in ("cut", "checksum"))
    flags += ["--skip_corrupt_records"] if stops else []
    return " ".join([*flags, *(["--frame_features", "--model=LstmModel"] if is_frames else ["--model=MoeModel"])])


def quoted(pattern: str) -> str:
    """A glob as it is typed, always in quotes."""
    return f"'{pattern}'" if shlex.quote(pattern) == pattern else shlex.quote(pattern)
