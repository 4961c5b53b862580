"""YouTube-8M's video level: Examples with the mean over a video's frames.

features  id or video_id, labels (none in the test split), mean_rgb (1024 floats), mean_audio (128 floats)
"""

import numpy as np

from readers.reader import Reader, vectors_of
from readers.rows import Rows
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

    def parse(self, records):
        parsed = ParsedRecords(records.buffer, records.starts, records.ends)
        vectors = [
            parsed.float_vectors(name, size) for name, size in zip(self.data.names, self.data.sizes, strict=True)
        ]
        nothing = np.zeros(len(records), np.float32)
        return Rows(
            video_id=parsed.strings(*self.id_keys),
            features=np.concatenate(vectors, axis=1) if len(vectors) > 1 else vectors[0],
            num_frames=np.ones(len(records), np.int32),
            labels=parsed.integers("labels"),
            start_time=nothing,
            end_time=nothing,
            real=np.ones(len(records), bool),
        )
