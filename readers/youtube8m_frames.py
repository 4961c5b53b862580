"""YouTube-8M's frame level: SequenceExamples with 1024 bytes of picture and 128 of sound a second, 300 at most.

context        id (2018 on) or video_id (2016, 2017), labels (none in the test split)
feature lists  rgb, audio
"""

from readers.reader import FrameReader
from yt8m_audio.registry import register_reader


@register_reader
class Youtube8mFrameReader(FrameReader):
    """Reads YouTube-8M's frame-level records."""

    features = ("rgb", "audio")

    @classmethod
    def matches(cls, example, data):
        return any(name in example.feature_lists.feature_list for name in cls.features) and not data.segment_labels
