"""Layers and functions that several models share.

B clips, T frames, D features, C classes. Masks are boolean, true where a frame (or clip) is real.
"""

import keras
from keras import ops

from yt8m_audio.registry import KERAS_PACKAGE
from yt8m_audio.replicas import sum_over_replicas

L2_PENALTY = 1e-8  # the starter's, on the weights of its classifiers
NOTHING = -1e9  # a logarithm of zero that stays finite


def dequantize(features, dtype="float32"):
    """Turns bytes into the values they stand for, in [-2, 2.01]; floats pass.

    The starter's formula, which pairs with a quantiser that truncates: x · 4/255 + 4/512 - 2.
    """
    if keras.backend.standardize_dtype(features.dtype) == "uint8":  # in float32: bfloat16 would lose a whole step
        features = ops.cast(features, "float32") * (4 / 255) + (4 / 512 - 2)
    return ops.cast(features, dtype)


def frame_mask(num_frames, max_frames):
    """Tells real frames from padding: bool [B, T] of int [B]."""
    return ops.arange(max_frames)[None, :] < ops.cast(num_frames, "int32")[:, None]


def l2_normalize(features):
    """Scales vectors [..., D] to length 1; those that are nearly 0 stay so."""
    return features * ops.rsqrt(ops.maximum(ops.sum(ops.square(features), axis=-1, keepdims=True), 1e-12))


def masked_mean(frames, mask):
    """Averages frames [B, T, D] over those that mask [B, T] names: [B, D], zeros where it names none."""
    weights = ops.cast(mask, frames.dtype)[:, :, None]
    count = ops.maximum(ops.sum(weights, axis=1), 1.0)  # [B, 1]
    return ops.sum(frames * weights, axis=1) / count


def masked_max(frames, mask):
    """The largest of frames [B, T, D] over those that mask [B, T] names: [B, D], zeros where it names none."""
    real = mask[:, :, None]
    largest = ops.max(ops.where(real, frames, ops.full_like(frames, NOTHING)), axis=1)
    return ops.where(ops.any(real, axis=1), largest, ops.zeros_like(largest))


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
class MaskedBatchNormalization(keras.layers.Layer):
    """Batch normalisation over real frames alone, its sums taken over all replicas (Ioffe & Szegedy 2015).

    Keras' own layer stops synchronising as soon as it is given a mask. The moving averages start fast, at a
    momentum of (1 + n) / (10 + n) after n steps, so that a short training has them too.

    Args:
        momentum: largest momentum of the moving averages.
        epsilon: added to the variance.
        center_only: whether to subtract the mean and do nothing more.
    """

    def __init__(self, momentum=0.9, epsilon=1e-3, center_only=False, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.center_only = center_only
        self.supports_masking = True

    def build(self, input_shape, **_):
        size = input_shape[-1:]
        if not self.center_only:
            self.gamma = self._float32("gamma", size, "ones", trainable=True)
            self.beta = self._float32("beta", size, "zeros", trainable=True)
        self.moving_mean = self._float32("moving_mean", size, "zeros")
        self.moving_variance = self._float32("moving_variance", size, "ones")
        self.updates = self._float32("updates", (), "zeros")

    def call(self, inputs, mask, training=False):
        """Normalises inputs [..., D] by the statistics of those where mask [...] is true."""
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = self._batch_statistics(ops.cast(inputs, "float32"), mask)
            self._follow(mean, variance)
        if self.center_only:
            return inputs - ops.cast(mean, inputs.dtype)
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        shift = self.beta - mean * scale
        return inputs * ops.cast(scale, inputs.dtype) + ops.cast(shift, inputs.dtype)

    def _batch_statistics(self, inputs, mask):
        """Mean and variance [D] of the real rows, over all replicas; the moving ones where there is none."""
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))  # [N, D]
        weights = ops.reshape(ops.cast(mask, "float32"), (1, -1))  # [1, N]
        sums = ops.concatenate([ops.matmul(weights, rows), ops.matmul(weights, ops.square(rows))])  # [2, D]
        count = sum_over_replicas(ops.sum(weights))
        mean, mean_square = ops.unstack(sum_over_replicas(sums) / ops.maximum(count, 1.0))
        variance = ops.maximum(mean_square - ops.square(mean), 0.0)
        some = count > 0
        return ops.where(some, mean, self.moving_mean), ops.where(some, variance, self.moving_variance)

    def _follow(self, mean, variance):
        """Moves the moving averages towards a batch's statistics."""
        momentum = ops.minimum(self.momentum, (1 + self.updates) / (10 + self.updates))
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * momentum + value * (1 - momentum))
        self.updates.assign(self.updates + 1)

    def _float32(self, name, shape, initializer, trainable=False):
        """A weight that is not rounded to bfloat16 under mixed precision, where averages would stop to move."""
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, trainable=trainable, dtype="float32", autocast=False
        )

    def get_config(self):
        own = {"momentum": self.momentum, "epsilon": self.epsilon, "center_only": self.center_only}
        return {**super().get_config(), **own}
