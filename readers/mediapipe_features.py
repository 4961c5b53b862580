"""MediaPipe's YouTube-8M feature extraction: one SequenceExample a file (features.pb), with lists of floats.

context        clip/data_path and more
feature lists  RGB/feature/floats, AUDIO/feature/floats, and their timestamps

The file is bare: it is no TFRecord. The values are those that YouTube-8M's bytes stand for.
"""

import dataclasses
from pathlib import PurePath

import numpy as np

from readers.reader import FrameReader
from yt8m_audio.registry import register_reader


@register_reader
class MediaPipeFeatureReader(FrameReader):
    """Reads MediaPipe's features.pb; a clip is named after the video it was made from."""

    features = ("RGB/feature/floats", "AUDIO/feature/floats")
    id_keys = ("clip/data_path",)

    @classmethod
    def matches(cls, example, data):
        return any(name in example.feature_lists.feature_list for name in cls.features)

    def parse(self, records, features=None):
        rows = super().parse(records, features)
        return dataclasses.replace(rows, video_id=stems(rows.video_id))

    def video_ids(self, records):
        return stems(super().video_ids(records))


def stems(paths: np.ndarray) -> np.ndarray:
    """Names of files without folder and ending, object [n] of bytes."""
    return np.array([PurePath(path.decode(errors="replace")).stem.encode() for path in paths], object)
