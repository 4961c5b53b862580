"""AudioSet's released features: SequenceExamples with one string of 128 bytes a second.

context        video_id, start_time_seconds, end_time_seconds, labels (0 to 526)
feature lists  audio_embedding
"""

from readers.reader import FrameReader
from yt8m_audio.labels import AUDIOSET_CLASSES
from yt8m_audio.registry import register_reader


@register_reader
class AudioSetFrameReader(FrameReader):
    """Reads AudioSet's frame records, and those of `extract` and `write-records`."""

    features = ("audio_embedding",)
    num_classes = AUDIOSET_CLASSES

    @classmethod
    def matches(cls, example, data):
        return "audio_embedding" in example.feature_lists.feature_list and len(example.context.feature) > 0
