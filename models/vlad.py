"""Soft assignment of frames to clusters, and the vectors of clusters that are made of it.

B clips, T frames, K clusters, D features. Frames are 0 where they are padding.
"""

import keras
from keras import ops

from models.batch_normalization import NormalizedDense

SHORTEST = 1e-12  # the square of a length below which vectors are not scaled up to length 1


class SoftAssignment(keras.layers.Layer):
    """Shares out each frame among clusters: a[t] = softmax over k of BN(W · x[t]).

    Args:
        clusters: number of clusters K.
    """

    def __init__(self, clusters, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activations = NormalizedDense(clusters, name="activations")

    def call(self, frames, mask, training=False):
        """Gives shares [B, T, K] of frames [B, T, D]; those of padding mean nothing."""
        return softmax_over_clusters(self.activations(frames, mask=mask, training=training))


class ClusterAggregation(keras.layers.Layer):
    """A layer that makes something of one feature's frames and of how they are shared out; subclasses say what.

    Args:
        clusters: number of clusters K.
    """

    def __init__(self, clusters, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.clusters = clusters
        self.assign = SoftAssignment(clusters, name="assign")


def softmax_over_clusters(activations):
    """Softmax over the last axis, computed in float32, as bfloat16 would not add up the shares of many clusters."""
    return ops.cast(ops.softmax(ops.cast(activations, "float32")), activations.dtype)


def shares_of_clips(shares, mask):
    """Sums shares [B, T, K] over the frames that mask [B, T] names, or weighs: [B, K, 1]."""
    return ops.matmul(ops.swapaxes(shares, 1, 2), ops.cast(mask, shares.dtype)[:, :, None])


def normalize_clusters(vectors):
    """Scales each cluster's vector to length 1, then all of a clip together: [B, K · D] of [B, K, D]."""
    squares = ops.sum(ops.square(ops.cast(vectors, "float32")), axis=2, keepdims=True)  # [B, K, 1]
    each = ops.rsqrt(ops.maximum(squares, SHORTEST))
    all_of_them = ops.rsqrt(ops.maximum(ops.sum(squares * ops.square(each), axis=1, keepdims=True), SHORTEST))
    normalized = vectors * ops.cast(each * all_of_them, vectors.dtype)  # one pass for both
    return ops.reshape(normalized, (-1, vectors.shape[1] * vectors.shape[2]))


def centres_initializer(size):
    """Centres of clusters [K, D] of a size D begin with a length of about 1."""
    return keras.initializers.RandomNormal(stddev=size**-0.5)
