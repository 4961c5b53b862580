"""The functions that an exported SavedModel can be called by. N clips, T frames, D features, C classes, k = 20:

    features   features [N, T, D], num_frames int32 [N]                  ->  predictions [N, C]
    top_k      the same                                                  ->  class_indexes, predictions, class_names
    examples   example_bytes string [N]                                  ->  video_id [N], class_indexes, predictions
    mediapipe  rgb_and_audio float32 [N, ?, D], num_frames int32 [N, 1]  ->  predictions [N, C]

The best k classes are [N, k]. `examples` is the starter code's, and `mediapipe` that of MediaPipe's YouTube-8M graphs:
their inputs and outputs are named so there. One of them is also `serving_default`, which is served where none is named:
`features`, unless another is chosen.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from yt8m_audio.prediction.example_parsing import ExampleLayout, float_frames, parse_examples

Signature = tf.types.experimental.GenericFunction  # what tf.function gives
TOP_K = 20  # of the starter code
DEFAULT, FEATURES, EXAMPLES, MEDIAPIPE, BEST = "serving_default", "features", "examples", "mediapipe", "top_k"


def probabilities_function(model: keras.Model, temperature: float = 1.0) -> Callable:
    """Makes the function of features and num_frames [N] that gives probabilities [N, C].

    Args:
        model: gives logits.
        temperature: that these are divided by (see yt8m_audio.evaluation.calibration).
    """

    @tf.function
    def probabilities(features, num_frames):
        logits = model({"features": features, "num_frames": num_frames}, training=False)
        return tf.sigmoid(logits if temperature == 1 else logits / temperature)

    return probabilities


def plain(probabilities: Callable, features: tf.TensorSpec) -> Signature:
    """The signature of plain features.

    Args:
        probabilities: from `probabilities_function`.
        features: what the model is fed, such as uint8 [None, T, D].
    """

    @tf.function(input_signature=fed(features))
    def predict(features, num_frames):
        return {"predictions": probabilities(features, num_frames)}

    return predict


def top_k(probabilities: Callable, features: tf.TensorSpec, names: Sequence[str] | None) -> Signature:
    """The signature of the best classes of plain features, with their display names where there are any."""

    @tf.function(input_signature=fed(features))
    def predict(features, num_frames):
        found = _best(probabilities(features, num_frames))
        return found if names is None else {**found, "class_names": tf.gather(names, found["class_indexes"])}

    return predict


def examples(probabilities: Callable, layout: ExampleLayout) -> Signature:
    """The signature of serialised records, the starter code's."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="example_bytes")])
    def predict(example_bytes):
        video_id, features, num_frames = parse_examples(example_bytes, layout)
        return {"video_id": video_id, **_best(probabilities(features, num_frames))}

    return predict


def mediapipe(probabilities: Callable, name: str, order: Sequence[int], layout: ExampleLayout) -> Signature:
    """The signature of MediaPipe's graphs: floats of any number of frames, cut or padded to the model's.

    Args:
        probabilities: from `probabilities_function`.
        name: of the input: rgb_and_audio, or what a model of one of the two takes.
        order: where each of the model's features stands in the input: (1, 0) where the model takes audio first.
        layout: of the records that the model was trained on.
    """
    sizes = [layout.sizes[order.index(place)] for place in range(len(order))]
    frames = tf.TensorSpec([None, None, sum(sizes)], tf.float32, name=name)

    @tf.function(input_signature=[frames, tf.TensorSpec([None, 1], tf.int32, name="num_frames")])
    def predict(frames, num_frames):
        parts = tf.split(frames, sizes, axis=-1)
        frames = tf.concat([parts[place] for place in order], axis=-1)  # [N, ?, D]
        return {"predictions": probabilities(*float_frames(frames, num_frames[:, 0], layout))}

    return predict


def fed(features: tf.TensorSpec, batch_size: int | None = None) -> list[tf.TensorSpec]:
    """What a function of features and num_frames takes."""
    return [
        tf.TensorSpec((batch_size, *features.shape[1:]), features.dtype, name="features"),
        tf.TensorSpec((batch_size,), tf.int32, name="num_frames"),
    ]


def _best(probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
    """The best classes [N, k] of probabilities [N, C], and their scores."""
    best = tf.math.top_k(probabilities, k=min(TOP_K, probabilities.shape[-1]))
    return {"class_indexes": best.indices, "predictions": best.values}
