"""YouTube-8M's video level: Examples with the mean over a video's frames.

features  id or video_id, labels (none in the test split), mean_rgb (1024 floats), mean_audio (128 floats)
"""

import numpy as np
import tensorflow as tf

from readers.reader import Reader, vectors_of
from readers.rows import Rows, aligned
from readers.wire import ParsedRecords
from yt8m_audio.registry import register_reader


@register_reader
class Youtube8mVideoReader(Reader):
    """Reads YouTube-8M's video-level records."""

    level = "video"
    features = ("mean_rgb", "mean_audio")

    @classmethod
    def matches(cls, example, data):
        return any(name in example.context.feature for name in cls.features)

    @classmethod
    def found(cls, example):
        return vectors_of(example)

    def room(self, num_clips):
        return aligned((num_clips, sum(self.data.sizes)), np.float32)

    def parse(self, records, features=None):
        parsed = ParsedRecords(records.buffer, records.starts, records.ends, tf.train.Example)
        features = self.room(len(records)) if features is None else features
        column = 0
        for name, size in zip(self.data.names, self.data.sizes, strict=True):
            features[:, column : column + size] = parsed.float_vectors(name, size)
            column += size
        return Rows(
            video_id=parsed.strings(*self.id_keys),
            features=features,
            num_frames=np.ones(len(records), np.int32),
            labels=parsed.integers("labels"),
            start_time=np.zeros(len(records), np.float32),
            end_time=np.zeros(len(records), np.float32),
            real=np.ones(len(records), bool),
        )
