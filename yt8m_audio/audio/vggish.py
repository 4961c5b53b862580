"""VGGish (Hershey et al. 2017, arXiv:1609.09430): 0.96 s of log-mel bands become 128 numbers.

    vggish = Vggish()                             # random weights, to be trained; load_vggish() gives Google's
    embeddings = vggish(examples_of(bands))       # [N, 96, 64] -> [N, 128]
    tagger = keras.Sequential([vggish, keras.layers.Dense(10)])

The network of `vggish_slim.py` in github.com/tensorflow/models, research/audioset/vggish: VGG's configuration A without
its last group, on one channel.
"""

import keras
from keras import ops

from yt8m_audio.audio.log_mel_examples import EXAMPLE_FRAMES
from yt8m_audio.audio.mel_bands import MEL_BANDS
from yt8m_audio.registry import KERAS_PACKAGE

EMBEDDING_SIZE = 128
GROUPS = ({"conv1": 64}, {"conv2": 128}, {"conv3_1": 256, "conv3_2": 256}, {"conv4_1": 512, "conv4_2": 512})
HIDDEN = {"fc1_1": 4096, "fc1_2": 4096}


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class Vggish(keras.Model):
    """Embeds examples, float32 [N, 96, 64] or [N, 96, 64, 1] -> float32 [N, 128].

    72 M parameters, 1.7 GFLOP an example. The output is linear, as Google's code has it since 2023; before, and in most
    ports, a ReLU followed. A new one begins with He's initialisation, where Google's began with deviations of 0.01,
    from which so deep a network hardly moves at first.

    Args:
        final_relu: whether negative outputs become 0, as they once did.
        width: share of the channels and hidden units that there are, in (0, 1]; less than 1 for a smaller network of
            one's own, for which there are no weights.
    """

    def __init__(self, *, final_relu: bool = False, width: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.final_relu, self.width = final_relu, width
        self.network = keras.Sequential(_layers(width, self.dtype_policy), name="network")

    def build(self, input_shape=None):
        """Makes the weights, whose shapes are the same whatever the input."""
        self.network.build((None, EXAMPLE_FRAMES, MEL_BANDS, 1))
        self.built = True

    def call(self, examples):
        """Embeds examples.

        Raises:
            ValueError: if they have not 96 frames of 64 bands.
        """
        if tuple(examples.shape[1:3]) != (EXAMPLE_FRAMES, MEL_BANDS):
            raise ValueError(f"Examples are [N, {EXAMPLE_FRAMES}, {MEL_BANDS}]. Received: shape={examples.shape}.")
        embeddings = self.network(ops.reshape(examples, (-1, EXAMPLE_FRAMES, MEL_BANDS, 1)))  # [N, 128]
        return ops.relu(embeddings) if self.final_relu else embeddings

    def compute_output_shape(self, input_shape) -> tuple:
        """The shape of the embeddings."""
        return (input_shape[0], EMBEDDING_SIZE)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "final_relu": self.final_relu, "width": self.width}


def _layers(width: float, policy: keras.DTypePolicy) -> list[keras.layers.Layer]:
    """The layers, named as Google's; those that have weights in the order in which they are computed."""
    settings = {"activation": "relu", "kernel_initializer": "he_normal", "dtype": policy}
    layers = []
    for group in GROUPS:
        for name, channels in group.items():
            layers.append(keras.layers.Conv2D(_scaled(channels, width), 3, padding="same", name=name, **settings))
        layers.append(keras.layers.MaxPooling2D(2, dtype=policy))
    layers.append(keras.layers.Flatten(dtype=policy))  # [N, 6 * 4 * 512], in the order height, width, channel
    layers += [keras.layers.Dense(_scaled(units, width), name=name, **settings) for name, units in HIDDEN.items()]
    return [*layers, keras.layers.Dense(EMBEDDING_SIZE, name="fc2", dtype="float32")]


def _scaled(number: int, width: float) -> int:
    return max(1, round(number * width))
