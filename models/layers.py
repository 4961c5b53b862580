"""Layers and functions that several models share.

B clips, T frames, D features, C classes. Masks are boolean, true where a frame (or clip) is real.
"""

import math

import keras
from keras import ops

from models.batch_normalization import MaskedBatchNormalization
from yt8m_audio.errors import UserError
from yt8m_audio.registry import KERAS_PACKAGE

L2_PENALTY = 1e-8  # the starter's, on the weights of its classifiers
NOTHING = -1e9  # a logarithm of zero that stays finite
LEAST_ATTENTION = 1e-7  # of a frame to a class, by a sigmoid


def frame_mask(num_frames, max_frames):
    """Tells real frames from padding: bool [B, T] of int [B]."""
    return ops.arange(max_frames)[None, :] < ops.cast(num_frames, "int32")[:, None]


def at_least_one(mask):
    """A mask [B, T] in which a clip without frames has its first one, which is 0: a softmax needs something."""
    return ops.logical_or(mask, ops.arange(mask.shape[1])[None, :] == 0)


def l2_normalize(features, axis=-1):
    """Scales vectors [..., D] to length 1; those that are nearly 0 stay so."""
    squares = ops.square(ops.cast(features, "float32"))
    norm = ops.rsqrt(ops.maximum(ops.sum(squares, axis=axis, keepdims=True), 1e-12))
    return features * ops.cast(norm, features.dtype)


def masked_mean(frames, mask):
    """Averages frames [B, T, D] over those that mask [B, T] names: [B, D], zeros where it names none."""
    weights = ops.cast(mask, frames.dtype)  # [B, T]
    count = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)  # [B, 1]
    return weighted_sums(weights[:, :, None], frames)[:, 0] / count


def weighted_sums(weights, frames):
    """Sums frames [B, T, D] with weights [B, T, H]: [B, H, D]. A product, whose gradient is cheaper than einsum's."""
    return ops.matmul(ops.swapaxes(weights, 1, 2), frames)


def masked_max(frames, mask):
    """The largest of frames [B, T, D] over those that mask [B, T] names: [B, D], zeros where it names none."""
    return largest_over_frames(ops.where(mask[:, :, None], frames, ops.cast(NOTHING, frames.dtype)), mask)


def largest_over_frames(frames, mask):
    """`masked_max` of frames [B, T, D] that are no larger where mask [B, T] is false, which is not looked at again.

    The gradient goes to the largest frames, in equal parts where there are several; it is written out because
    TensorFlow's own takes twice as many passes over the frames.
    """
    real = ops.cast(mask, frames.dtype)[:, :, None]  # [B, T, 1]
    return _largest(frames, real) * ops.max(real, axis=1)


@ops.custom_gradient
def _largest(frames, real):
    largest = ops.max(frames, axis=1)  # [B, D]

    def gradient(*arguments, upstream=None):
        above = arguments[0] if upstream is None else upstream
        chosen = ops.logical_and(ops.equal(frames, largest[:, None, :]), real > 0)  # [B, T, D]
        share = above / ops.maximum(ops.sum(ops.cast(chosen, above.dtype), axis=1), 1)
        return ops.where(chosen, share[:, None, :], ops.cast(0, above.dtype)), ops.zeros_like(real)

    return largest, gradient


def repeat_first_frame(frames, mask):
    """Puts a clip's first frame where mask [B, T] is false, so that no maximum over frames [B, T, D] is changed."""
    return ops.where(mask[:, :, None], frames, frames[:, :1])


def masked_softmax(scores, mask):
    """Weights [B, T, H] over frames, from scores [B, T, H]: 0 where mask [B, T] is false, of sum 1.

    A clip without frames gives all weight to its first one.
    """
    return ops.cast(ops.exp(log_softmax_over_frames(scores, mask)), scores.dtype)


def log_softmax_over_frames(scores, mask):
    """The logarithms of `masked_softmax`, float32."""
    real = at_least_one(mask)[:, :, None]
    return ops.log_softmax(ops.where(real, ops.cast(scores, "float32"), NOTHING), axis=1)


def check_dropout(share, name="dropout"):
    """Raises a UserError unless a hyper-parameter, a share to drop, is in [0, 1)."""
    if not 0 <= share < 1:
        raise UserError(f"--{name}={share:g} must be in [0, 1).")


def log_add(first, second):
    """log(exp(first) + exp(second)), in the one pass of TensorFlow that is dear: for two that are not far apart."""
    return first + ops.softplus(second - first)


def multiply_probabilities(first, second):
    """The logits of p · q, float32, of the logits of p and q: same shapes.

    They are -log(exp(-first) + exp(-second) + exp(-first - second)), from 1 / (p · q) - 1.
    """
    first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
    return second - ops.softplus(ops.softplus(second) - first)


def log_normalize(scores, mask):
    """Logarithms, float32, of weights over frames that a sigmoid makes: w = σ(s) / Σ_t σ(s), of scores s [B, T, K].

    σ(s) is clipped to [1e-7, 1 - 1e-7] (Kong et al. 2018, arXiv:1711.00927). The weights are 0 where mask [B, T] is
    false; a clip without frames gives all weight to its first one.
    """
    log_sigmoid = ops.log_sigmoid(ops.cast(scores, "float32"))
    return log_softmax_over_frames(ops.clip(log_sigmoid, math.log(LEAST_ATTENTION), math.log1p(-LEAST_ATTENTION)), mask)


def mix_logits(logits, log_weights, axis=1):
    """The logits of a mixture of probabilities, p = Σ w · σ(logits), computed in log space.

    Args:
        logits: any shape.
        log_weights: the same shape; the weights sum to 1 over `axis`.
        axis: what is mixed.

    Returns:
        log p - log(1 - p), without `axis`.
    """
    logits, log_weights = ops.cast(logits, "float32"), ops.cast(log_weights, "float32")  # a small difference below
    yes = ops.logsumexp(log_weights + ops.log_sigmoid(logits), axis=axis)
    no = ops.logsumexp(log_weights + ops.log_sigmoid(-logits), axis=axis)
    return yes - no


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class ContextGating(keras.layers.Layer):
    """Lets features weigh each other: x · σ(BN(W x)) (Miech et al. 2017, arXiv:1706.06905, section 3.3).

    Args:
        reduction: the gates are computed through so many times fewer units (1: directly), as in NeXtVLAD
            (Lin et al. 2018, arXiv:1811.05014).
    """

    def __init__(self, reduction=1, **kwargs):
        super().__init__(**kwargs)
        self.reduction = reduction
        self.supports_masking = True

    def build(self, input_shape, **_):
        size = input_shape[-1]
        self.squeeze = None
        if self.reduction > 1:
            self.squeeze = keras.layers.Dense(max(size // self.reduction, 1), use_bias=False, name="squeeze")
            self.squeeze_norm = MaskedBatchNormalization(name="squeeze_norm")
        self.gates = keras.layers.Dense(size, use_bias=self.reduction > 1, name="gates")
        self.gates_norm = None if self.squeeze else MaskedBatchNormalization(name="gates_norm")

    def gate_logits(self, features, mask, training=False):
        """Gives W x, normalised, [..., D]: logits of the gates."""
        if self.squeeze:
            hidden = self.squeeze_norm(self.squeeze(features), mask=mask, training=training)
            return self.gates(ops.relu(hidden))
        return self.gates_norm(self.gates(features), mask=mask, training=training)

    def call(self, features, mask, training=False):
        """Gates features [..., D], of which those are real where mask [...] is true."""
        return features * ops.sigmoid(self.gate_logits(features, mask, training))

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class ProbabilityGating(ContextGating):
    """Context gating of probabilities, p · σ(BN(W p)), from logits to logits (section 3.3 of the same paper)."""

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, logits, mask, training=False):
        """Gives logits, float32 [B, C], of logits [B, C], of which those are real where mask [B] is true."""
        gates = self.gate_logits(ops.sigmoid(logits), mask, training)
        return multiply_probabilities(logits, gates)


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class AttentionPooling(keras.layers.Layer):
    """Averages of frames with weights that are learnt (Bahdanau et al. 2015, arXiv:1409.0473, without a query).

    Args:
        heads: number of averages.
        units: width of the tanh layer that scores are made of; 0 makes them of the frames directly.
    """

    def __init__(self, heads=1, units=0, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.units = heads, units
        self.supports_masking = True
        self.hidden = keras.layers.Dense(units, activation="tanh", name="hidden") if units else None
        self.scores = keras.layers.Dense(heads, use_bias=False, name="scores")  # a bias would fall out of the softmax

    def call(self, frames, mask):
        """Gives [B, heads · D] of frames [B, T, D], of which those count where mask [B, T] is true."""
        scores = self.scores(self.hidden(frames) if self.hidden else frames)  # [B, T, heads]
        weights = masked_softmax(scores, mask)
        pooled = weighted_sums(weights, frames)  # [B, heads, D]
        return ops.reshape(pooled, (-1, self.heads * frames.shape[-1]))

    def get_config(self):
        return {**super().get_config(), "heads": self.heads, "units": self.units}


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class HiddenLayers(keras.layers.Layer):
    """Layers of Dense, batch normalisation, ReLU and dropout, on each frame or clip alike.

    Args:
        units: width of each layer.
        layers: how many.
        dropout: share of units dropped in training, in [0, 1).
    """

    def __init__(self, units, layers, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.num_layers, self.dropout = units, layers, dropout
        self.supports_masking = True
        self.dense = [keras.layers.Dense(units, use_bias=False, name=f"dense_{number}") for number in range(layers)]
        self.norms = [MaskedBatchNormalization(name=f"norm_{number}") for number in range(layers)]
        self.drops = [keras.layers.Dropout(dropout, name=f"dropout_{number}") for number in range(layers)]

    def call(self, features, mask, training=False):
        """Gives the outputs [..., units] of each layer, the last one last; mask [...] tells what is real."""
        outputs, hidden = [], features
        for dense, norm, drop in zip(self.dense, self.norms, self.drops, strict=True):
            hidden = drop(ops.relu(norm(dense(hidden), mask=mask, training=training)), training=training)
            outputs.append(hidden)
        return outputs

    def get_config(self):
        return {**super().get_config(), "units": self.units, "layers": self.num_layers, "dropout": self.dropout}


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class SigmoidAttention(keras.layers.Layer):
    """What each frame says of each unit, and how much it counts there (Kong et al. 2018, arXiv:1711.00927).

    Args:
        units: units K.
        use_bias: whether what frames say has a bias.
    """

    def __init__(self, units, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        self.units, self.use_bias = units, use_bias
        self.supports_masking = True
        self.values = keras.layers.Dense(units, use_bias=use_bias, name="values")
        self.attention = keras.layers.Dense(units, name="attention")

    def call(self, frames, mask):
        """Gives values and log weights, each [B, T, K], of frames [B, T, D], of which those in mask [B, T] count."""
        return self.values(frames), log_normalize(self.attention(frames), mask)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "use_bias": self.use_bias}
