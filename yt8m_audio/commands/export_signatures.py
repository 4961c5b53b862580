"""Which signatures the SavedModel of a run has, beside that of plain features: what its records and classes allow."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from readers.reader import SAME_FEATURE
from yt8m_audio.config import DataConfig
from yt8m_audio.labels import label_map_for
from yt8m_audio.prediction.example_parsing import ExampleLayout
from yt8m_audio.prediction.signatures import (
    BEST,
    EXAMPLES,
    MEDIAPIPE,
    Signature,
    examples,
    mediapipe,
    probabilities_function,
    top_k,
)
from yt8m_audio.registry import READERS

KINDS = {name: kind for kind, group in zip(("audio", "rgb"), SAME_FEATURE, strict=True) for name in group}
RGB_AND_AUDIO = ("rgb", "audio")  # their order in MediaPipe's input


def signatures_of(
    model: keras.Model, data: DataConfig, features: tf.TensorSpec, label_map: str, temperature: float = 1.0
) -> Mapping[str, Signature]:
    """The signatures by name.

    Args:
        model: built.
        data: the run's complete settings.
        features: what the model is fed.
        label_map: CSV of display names; the run's own when empty.
        temperature: that logits are divided by.

    Raises:
        UserError: if the label map is of other classes.
    """
    probabilities = probabilities_function(model, temperature)
    labels = label_map_for(label_map or data.label_map, data.num_classes)
    found = {BEST: top_k(probabilities, features, labels and labels.names)}
    layout = layout_of(data)
    if not data.segment_labels:  # a record is several segments
        found[EXAMPLES] = examples(probabilities, layout)
    kinds = [KINDS.get(name) for name in data.names]
    if kinds in (["rgb"], ["audio"]):
        found[MEDIAPIPE] = mediapipe(probabilities, kinds[0], (0,), layout)
    if sorted(map(str, kinds)) == sorted(RGB_AND_AUDIO):
        order = [RGB_AND_AUDIO.index(kind) for kind in kinds]
        found[MEDIAPIPE] = mediapipe(probabilities, "rgb_and_audio", order, layout)
    return found


def layout_of(data: DataConfig) -> ExampleLayout:
    """What the records of a run hold, and what its model takes of them."""
    reader = READERS.get(data.reader)
    frames = data.segment_size if data.segment_labels else data.max_frames
    return ExampleLayout(
        level=reader.level,
        id_keys=reader.id_keys,
        names=tuple(data.names),
        sizes=tuple(data.sizes),
        types=tuple(data.types),
        max_frames=frames if reader.level == "frame" else None,
        pooling=data.pooling if reader.level == "frame" and not data.frame_features else "",
    )
