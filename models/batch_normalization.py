"""Batch normalisation over the frames and clips that are real (Ioffe & Szegedy 2015, arXiv:1502.03167).

Keras' own layer counts padded frames, or stops synchronising over replicas, silently, as soon as it is given a mask.
"""

import keras
from keras import ops

from yt8m_audio.registry import KERAS_PACKAGE
from yt8m_audio.replicas import sum_over_replicas


class BatchStatistics(keras.layers.Layer):
    """Moving averages of a mean and a variance, [D], of which a batch's own take the place in training.

    The averages start fast, at a momentum of (1 + n) / (10 + n) after n steps, so that a short training has them too.

    Args:
        momentum: largest momentum of the moving averages.
        epsilon: added to the variance.
    """

    def __init__(self, momentum=0.9, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.supports_masking = True

    def add_statistics(self, size, affine=True):
        """Makes the weights, for vectors of a size; with a trained scale and shift where it is affine."""
        if affine:
            self.gamma = self.add_float32_weight("gamma", (size,), "ones", trainable=True)
            self.beta = self.add_float32_weight("beta", (size,), "zeros", trainable=True)
        self.moving_mean = self.add_float32_weight("moving_mean", (size,), "zeros")
        self.moving_variance = self.add_float32_weight("moving_variance", (size,), "ones")
        self.updates = self.add_float32_weight("updates", (), "zeros")

    def add_float32_weight(self, name, shape, initializer, trainable=False):
        """A weight that is not rounded to bfloat16 under mixed precision, where averages would stop to move."""
        return self.add_weight(
            name=name, shape=shape, initializer=initializer, trainable=trainable, dtype="float32", autocast=False
        )

    def follow(self, mean, variance, count):
        """Moves the averages towards a batch's statistics; gives those to normalise by, the averages of no rows."""
        some = count > 0
        mean = ops.where(some, mean, ops.convert_to_tensor(self.moving_mean))
        variance = ops.where(some, variance, ops.convert_to_tensor(self.moving_variance))
        momentum = ops.minimum(self.momentum, (1 + self.updates) / (10 + self.updates))
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * momentum + value * (1 - momentum))
        self.updates.assign(self.updates + 1)
        return mean, variance

    def scale_and_shift(self, mean, variance):
        """The two vectors [D] of x · scale + shift, which normalises x."""
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        return scale, self.beta - mean * scale

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


def masked_moments(inputs, mask, near_zero=True):
    """Mean and variance [D], float32, of those of inputs [..., D] where mask [...] is true, over all replicas.

    Args:
        inputs: float [..., D].
        mask: bool [...].
        near_zero: whether means are no more than some tens of deviations, as behind a layer: then E[x²] - E[x]² is
            good enough, which takes a pass less.

    Returns:
        Mean, variance, and the number of those inputs.
    """
    rows = ops.reshape(ops.cast(inputs, "float32"), (-1, inputs.shape[-1]))  # [N, D]
    weights = ops.reshape(ops.cast(mask, "float32"), (1, -1))  # [1, N]
    count = sum_over_replicas(ops.sum(weights))
    if near_zero:
        sums = ops.concatenate([ops.matmul(weights, rows), ops.matmul(weights, ops.square(rows))])  # [2, D]
        mean, mean_square = ops.unstack(sum_over_replicas(sums) / ops.maximum(count, 1.0))
        return mean, ops.maximum(mean_square - ops.square(mean), 0.0), count
    mean = sum_over_replicas(ops.matmul(weights, rows))[0] / ops.maximum(count, 1.0)
    squares = sum_over_replicas(ops.matmul(weights, ops.square(rows - mean)))[0]
    return mean, squares / ops.maximum(count, 1.0), count


def masked_covariance(inputs, mask):
    """Mean [1, D] and covariance [D, D], float32, of those of inputs [..., D] where mask [...] is true.

    Returns:
        Mean and covariance over all replicas, and the number of those inputs.
    """
    rows = ops.reshape(ops.cast(inputs, "float32"), (-1, inputs.shape[-1]))  # [N, D]
    weights = ops.reshape(ops.cast(mask, "float32"), (-1, 1))  # [N, 1]
    count = sum_over_replicas(ops.sum(weights))
    mean = sum_over_replicas(ops.matmul(ops.transpose(weights), rows)) / ops.maximum(count, 1.0)  # [1, D]
    centred = (rows - mean) * weights
    return mean, sum_over_replicas(ops.matmul(ops.transpose(centred), centred)) / ops.maximum(count, 1.0), count


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class MaskedBatchNormalization(BatchStatistics):
    """Batch normalisation over real frames alone, its sums taken over all replicas.

    Args:
        center_only: whether to subtract the mean and do nothing more.
    """

    def __init__(self, center_only=False, **kwargs):
        super().__init__(**kwargs)
        self.center_only = center_only

    def build(self, input_shape, **_):
        self.add_statistics(input_shape[-1], affine=not self.center_only)

    def call(self, inputs, mask, training=False, near_zero=True):
        """Normalises inputs [..., D] by the statistics of those where mask [...] is true, see `masked_moments`."""
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = self.follow(*masked_moments(inputs, mask, near_zero))
        if self.center_only:
            return inputs - ops.cast(mean, inputs.dtype)
        scale, shift = self.scale_and_shift(mean, variance)
        return inputs * ops.cast(scale, inputs.dtype) + ops.cast(shift, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "center_only": self.center_only}


@keras.saving.register_keras_serializable(package=KERAS_PACKAGE)
class NormalizedDense(BatchStatistics):
    """A linear layer and batch normalisation behind it, in one matrix product: x · (W · scale) + shift.

    Where there are no more inputs than units, the statistics of the outputs are made of those of the inputs: their
    mean is mean(x) · W, and their variance the diagonal of Wᵀ · cov(x) · W. So the outputs [..., K], whose traffic
    bounds such a layer, are passed over once.

    Args:
        units: width K of the outputs.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape, **_):
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.units), initializer="glorot_uniform", autocast=False
        )
        self.add_statistics(self.units)

    def call(self, inputs, mask, training=False):
        """Gives outputs [..., K] of inputs [..., D], normalised by the statistics of those where mask [...] is true."""
        kernel = ops.cast(self.kernel, "float32")
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            mean, variance = self.follow(*self._moments(inputs, kernel, mask))
        scale, shift = self.scale_and_shift(mean, variance)
        return ops.matmul(inputs, ops.cast(kernel * scale, inputs.dtype)) + ops.cast(shift, inputs.dtype)

    def _moments(self, inputs, kernel, mask):
        """Mean and variance [K] of the outputs, and the number of real rows."""
        if inputs.shape[-1] > self.units:
            return masked_moments(ops.matmul(inputs, ops.cast(kernel, inputs.dtype)), mask)
        mean, covariance, count = masked_covariance(inputs, mask)
        variance = ops.sum(kernel * ops.matmul(covariance, kernel), axis=0)  # [K]
        return ops.matmul(mean, kernel)[0], ops.maximum(variance, 0.0), count

    def get_config(self):
        return {**super().get_config(), "units": self.units}
