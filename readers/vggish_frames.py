"""What VGGish's demo writes: SequenceExamples with nothing but `audio_embedding`, of bytes.

They have neither id nor labels: a clip is named after its file.
"""

from readers.reader import FrameReader
from yt8m_audio.labels import AUDIOSET_CLASSES
from yt8m_audio.registry import register_reader


@register_reader
class VggishFrameReader(FrameReader):
    """Reads the records of vggish_inference_demo.py."""

    features = ("audio_embedding",)
    num_classes = AUDIOSET_CLASSES

    @classmethod
    def matches(cls, example, data):
        return "audio_embedding" in example.feature_lists.feature_list and not example.context.feature
