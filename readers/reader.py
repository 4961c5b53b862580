"""What every reader is: a parser of serialised records, in batches, and what the first record tells of a family."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.registry import READERS


class Reader:
    """Parses batches of serialised records of one family. Built from settings that are complete (see `resolve`).

    Args:
        data: what to read.
    """

    def __init__(self, data: DataConfig):
        self.data = data

    @staticmethod
    def matches(record: tf.train.SequenceExample) -> bool:
        """Whether a record is of this family."""
        raise NotImplementedError

    @staticmethod
    def complete(data: DataConfig, record: tf.train.SequenceExample, more: Sequence) -> DataConfig:
        """Fills in what was not given, from a record and more behind it.

        Raises:
            UserError: if what was given does not fit the record.
        """
        raise NotImplementedError

    def parse(self, serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        """Parses string [B] to a batch without example_weights (see yt8m_audio.batch); in a graph."""
        raise NotImplementedError

    def video_ids(self, serialized: tf.Tensor) -> tf.Tensor:
        """Parses string [B] to the video ids alone, string [B]; in a graph."""
        raise NotImplementedError

    def fault(self, serialized: bytes) -> str:
        """Says why one record cannot be parsed, or "" where it is nothing that the reader knows of."""
        raise NotImplementedError


def resolve(data: DataConfig, serialized: bytes, path: str, more: Sequence[bytes] = ()) -> DataConfig:
    """Completes the settings from the first record of the data set.

    Args:
        data: the settings given.
        serialized: the record.
        path: its file, for errors.
        more: records behind it, which tell how long clips are.

    Raises:
        UserError: if no reader knows the record, or a setting does not fit it.
    """
    record = _as_sequence_example(serialized)
    if data.reader:
        reader = READERS.get(data.reader)
    else:
        reader = next((known for known in map(READERS.get, READERS.names()) if known.matches(record)), None)
    if reader is None:
        raise UserError(f"The first record of {path} is of no known family: {found_keys(record)}.")
    try:
        completed = reader.complete(data, record, [_as_sequence_example(each) for each in more])
        return dataclasses.replace(completed, reader=reader.__name__)
    except UserError as error:
        raise UserError(f"{error} (First record of {path}.)") from None


def _as_sequence_example(serialized: bytes) -> tf.train.SequenceExample:
    """A record's protocol buffer; an Example reads as one too, with its features as context."""
    try:
        return tf.train.SequenceExample.FromString(serialized)
    except Exception:  # protobuf's DecodeError lies elsewhere in each of its versions
        return tf.train.SequenceExample()


def found_keys(record: tf.train.SequenceExample) -> str:
    """Lists a record's keys, for an error."""
    lists = sorted(record.feature_lists.feature_list)
    context = sorted(record.context.feature)
    return f"its feature lists are {', '.join(lists) or 'none'}; its context keys are {', '.join(context) or 'none'}"
