"""What every reader is: a parser of many records at once, and what the first records tell of a family.

    data = resolve(DataConfig(), examples, "bal_train/00.tfrecord")    # names, sizes, types, classes, reader
    rows = READERS.get(data.reader)(data).parse(records)

A family is a class of a few lines: which keys its records have, and how many classes.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from readers.rows import Rows, aligned
from readers.wire import ParsedRecords
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.records import Records
from yt8m_audio.registry import READERS

YT8M_CLASSES = 3862  # of 2018 and 2019; 4,716 in 2017, 4,800 in 2016
SHORT_CLIP_FRAMES = 10  # AudioSet's clips have no more
LONG_CLIP_FRAMES = 300  # the starter code's limit
SAME_FEATURE = (  # what one sound or one picture is called in each family
    ("audio", "audio_embedding", "AUDIO/feature/floats", "mean_audio"),
    ("rgb", "RGB/feature/floats", "mean_rgb"),
)


class NoSegmentsError(UserError):
    """Rated segments are asked for, and the records are of a family that has none."""


class Reader:
    """Parses records of one family. Built from settings that are complete (see `resolve`).

    Args:
        data: what to read.
    """

    level: ClassVar[str] = ""  # "frame" or "video": what a record holds
    by_segment: ClassVar[bool] = False  # whether a clip is a segment of a record
    features: ClassVar[tuple[str, ...]] = ()  # what is read when no --feature_names are given, as far as it is there
    id_keys: ClassVar[tuple[str, ...]] = ("id", "video_id")
    num_classes: ClassVar[int] = YT8M_CLASSES

    def __init__(self, data: DataConfig):
        self.data = data

    @classmethod
    def matches(cls, example: tf.train.SequenceExample, data: DataConfig) -> bool:
        """Whether a record is of this family."""
        raise NotImplementedError

    @classmethod
    def found(cls, example: tf.train.SequenceExample) -> dict[str, tuple[str, int]]:
        """The features of a record: name -> (type, size); the type is "" where there are no frames to tell."""
        raise NotImplementedError

    def room(self, num_clips: int) -> np.ndarray:
        """An array for the features of so many clips, not filled."""
        raise NotImplementedError

    def parse(self, records: Records, features: np.ndarray | None = None) -> Rows:
        """Parses records.

        Args:
            records: n of them.
            features: room(n), or a part of a larger one, to put the features in.

        Raises:
            MalformedRecord: if one is not of the family; it holds the record's number.
        """
        raise NotImplementedError

    def video_ids(self, records: Records) -> np.ndarray:
        """Parses the ids alone, object [n] of bytes; b"" where a record has none."""
        return _parsed(records).strings(*self.id_keys)

    def labels(self, records: Records):
        """Parses the labels alone, as Ragged."""
        return _parsed(records).integers("labels")

    def start_times(self, records: Records) -> np.ndarray:
        """Parses the start times alone, float32 [n], seconds; 0 where a record has none."""
        return np.zeros(len(records), np.float32)


class FrameReader(Reader):
    """Reads SequenceExamples with a feature list a feature: one string of bytes, or list of floats, a frame."""

    level = "frame"
    start_key: ClassVar[str] = "start_time_seconds"
    end_key: ClassVar[str] = "end_time_seconds"

    @classmethod
    def found(cls, example):
        lists = example.feature_lists.feature_list
        return {name: _kind_and_size(each.feature[0] if each.feature else None) for name, each in lists.items()}

    def room(self, num_clips):
        data, is_bytes = self.data, set(self.data.types) == {"uint8"}
        return aligned((num_clips, data.max_frames, sum(data.sizes)), np.uint8 if is_bytes else np.float32)

    def start_times(self, records):
        return first_floats(_parsed(records), self.start_key, np.zeros(len(records), np.float32))

    def parse(self, records, features=None):
        data, parsed = self.data, _parsed(records)
        features = self.room(len(records)) if features is None else features
        _, num_frames = parsed.frames(data.names, data.sizes, data.types, data.max_frames, features)
        start_time = first_floats(parsed, self.start_key, np.zeros(len(records), np.float32))
        return Rows(
            video_id=parsed.strings(*self.id_keys),
            features=features,
            num_frames=num_frames,
            labels=parsed.integers("labels"),
            start_time=start_time,
            end_time=first_floats(parsed, self.end_key, start_time + num_frames),
            real=np.ones(len(records), bool),
        )


def _parsed(records: Records) -> ParsedRecords:
    return ParsedRecords(records.buffer, records.starts, records.ends)


def first_floats(parsed: ParsedRecords, key: str, default: np.ndarray) -> np.ndarray:
    """A number a record, float32 [n], and the default's where a record has none."""
    floats = parsed.floats(key)
    out, some = default.astype(np.float32), floats.counts > 0
    out[some] = floats.values[floats.starts[some]]
    return out


def _kind_and_size(feature: tf.train.Feature | None) -> tuple[str, int]:
    """Type and size of one frame, or of a vector."""
    if feature is None:
        return "", 0
    if feature.bytes_list.value:
        return "uint8", sum(map(len, feature.bytes_list.value))
    return "float32", len(feature.float_list.value)


def vectors_of(example: tf.train.SequenceExample) -> dict[str, tuple[str, int]]:
    """The context's float lists as features: name -> (type, size)."""
    floats = {key: each for key, each in example.context.feature.items() if len(each.float_list.value) > 1}
    return {key: _kind_and_size(each) for key, each in floats.items()}


# What the first records tell


def resolve(data: DataConfig, examples: Sequence[bytes], path: str) -> DataConfig:
    """Completes the settings from the first records of a data set.

    Args:
        data: the settings given.
        examples: serialised records, one at least.
        path: the first one's file, for errors.

    Raises:
        UserError: if no reader knows the record, or a setting does not fit it.
    """
    parsed = [_as_sequence_example(each) for each in examples]
    reader = READERS.get(data.reader) if data.reader else _reader_for(parsed[0], data)
    try:
        if reader is None:
            raise UserError(f"It is of no known family: {found_keys(parsed[0])}.")
        return _complete(reader, data, parsed)
    except UserError as error:
        raise type(error)(f"{error} (First record of {path}.)") from None


def _reader_for(example: tf.train.SequenceExample, data: DataConfig) -> type[Reader] | None:
    """The reader whose family a record is of; where none knows it, one that reads the features asked for."""
    known = [READERS.get(name) for name in READERS.names()]
    for reader in known:
        if reader.matches(example, data):
            return reader
    asked = data.names
    return next((each for each in known if asked and set(asked) <= set(each.found(example))), None)


def _complete(reader: type[Reader], data: DataConfig, examples: Sequence[tf.train.SequenceExample]) -> DataConfig:
    """Fills in what was not given."""
    found = {}
    for example in reversed(examples):  # the first one counts, but for what it has no frames to tell
        found |= {name: each for name, each in reader.found(example).items() if each[0] or name not in found}
    if data.segment_labels != reader.by_segment:
        wanted = "must be given" if reader.by_segment else "fits YouTube-8M's frame-level records alone"
        kind = UserError if reader.by_segment else NoSegmentsError
        raise kind(f"--segment_labels {wanted}; the reader is {reader.__name__}.")
    data = fitted(data, reader, found, found_keys(examples[0]))
    num_classes = data.num_classes or reader.num_classes
    beyond = label_beyond(examples[0], num_classes)
    if beyond:
        raise UserError(f"--num_classes={num_classes} does not fit: {beyond}.")
    max_frames = data.max_frames
    if reader.level == "frame":  # what holds no frames says nothing of how many to keep of other records
        max_frames = max_frames or _longest(examples, data.names)
    return dataclasses.replace(data, num_classes=num_classes, max_frames=max_frames)


def fitted(data: DataConfig, reader: type[Reader], found: dict[str, tuple[str, int]], holds: str) -> DataConfig:
    """Fills in the features: the records' own names of those asked for, their sizes and types.

    Args:
        data: the settings given.
        reader: of the records.
        found: what they hold, name -> (type, size).
        holds: the same in words, for errors.

    Raises:
        UserError: if what was given does not fit.
    """
    if data.frame_features and reader.level == "video":
        raise UserError(
            "The records hold one vector a clip, which a frame-level model cannot be fed: choose a video-level "
            "--model, such as MoeModel, or records with frames."
        )
    if data.pooling != "mean" and not data.frame_features and reader.level == "video":
        raise UserError(f"--pooling={data.pooling} needs records with frames; these hold one vector a clip.")
    names = [fitting_name(name, found) for name in data.names]
    if None in names:
        asked = data.names[names.index(None)]
        raise UserError(f"--feature_names={data.feature_names}: {asked} is no feature of the records; {holds}.")
    names = names or [name for name in reader.features if name in found] or sorted(found)
    if not names:
        raise UserError(f"There is no feature in the records; {holds}.")
    sizes = _fitting(data, "feature_sizes", data.sizes, names, [found[name][1] or 0 for name in names])
    types = _fitting(data, "feature_types", data.types, names, [found[name][0] for name in names])
    return dataclasses.replace(
        data,
        reader=reader.__name__,
        feature_names=",".join(names),
        feature_sizes=",".join(map(str, sizes)),
        feature_types=",".join(types),
    )


def fitting_name(asked: str, found: Sequence[str]) -> str | None:
    """What the records call a feature that may have another name in another family; None where they have none."""
    names = next((group for group in SAME_FEATURE if asked in group), ())
    return next((name for name in (asked, *names) if name in found), None)


def _fitting(data: DataConfig, flag: str, given: list, names: list[str], there: list) -> list:
    """What was given of each feature, or else what the records have; the two must be the same."""
    if given and len(given) != len(names):
        raise UserError(
            f"--{flag}={getattr(data, flag)} are {len(given)}, but there are {len(names)} features: {', '.join(names)}."
        )
    unknown = {"feature_sizes": 128, "feature_types": "uint8"}[flag]
    merged = [each or (given[number] if given else unknown) for number, each in enumerate(there)]
    for name, asked, found in zip(names, given, merged, strict=False):
        if asked != found:
            what = f"which has {found} values a frame" if flag == "feature_sizes" else f"which is {found}"
            raise UserError(
                f"--{flag}={getattr(data, flag)} does not fit {name}, {what}: set {','.join(map(str, merged))}."
            )
    return merged


def _longest(examples: Sequence[tf.train.SequenceExample], names: Sequence[str]) -> int:
    """How many frames are kept of a clip."""
    longest = max(len(each.feature_lists.feature_list[names[0]].feature) for each in examples)
    return SHORT_CLIP_FRAMES if longest <= SHORT_CLIP_FRAMES else LONG_CLIP_FRAMES


def _as_sequence_example(serialized: bytes) -> tf.train.SequenceExample:
    """A record's protocol buffer; an Example reads as one too, with its features as context."""
    try:
        return tf.train.SequenceExample.FromString(serialized)
    except Exception:  # protobuf's DecodeError lies elsewhere in each of its versions
        return tf.train.SequenceExample()


def label_beyond(example: tf.train.SequenceExample, num_classes: int) -> str:
    """Says which label of a record is no class, or "" where all are."""
    labels = example.context.feature["labels"].int64_list.value if "labels" in example.context.feature else ()
    beyond = [label for label in labels if not 0 <= label < num_classes]
    return label_message(beyond[0], num_classes) if beyond else ""


def label_message(label: int, num_classes: int) -> str:
    """What is said of a label that is no class."""
    return f"label {label} is not in 0 to {num_classes - 1}: set --num_classes to the number of classes"


def found_keys(example: tf.train.SequenceExample) -> str:
    """Lists a record's keys, for an error."""
    lists = sorted(example.feature_lists.feature_list)
    context = sorted(example.context.feature)
    return f"its feature lists are {', '.join(lists) or 'none'}; its context keys are {', '.join(context) or 'none'}"
