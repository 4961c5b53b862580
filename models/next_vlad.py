"""NeXtVLAD (Lin et al. 2018, arXiv:1811.05014): NetVLAD on groups of an expanded frame's features.

Each frame is expanded, e[t] = W · x[t] + b, and cut into groups e[t, g], which are assigned to clusters k and get
attention each:

    v[k] = Σ_t Σ_g α[t, g] · a[t, g, k] · (e[t, g] - c[k])
    a[t, g] = softmax over k of BN(U · e[t]),    α[t] = σ(A · e[t] + d)

Each v[k] is scaled to length 1.
"""

import math

import keras
from keras import ops

from models.batch_normalization import MaskedBatchNormalization, NormalizedDense
from models.late_fusion import LateFusionModel, sizes_by_feature
from models.layers import check_dropout, l2_normalize, weighted_sums
from models.vlad import centres_initializer, shares_of_clips, softmax_over_clusters
from yt8m_audio.registry import register_model


@register_model
class NextVladModel(LateFusionModel):
    """Residuals of groups of features, softly assigned to clusters; a gated hidden layer, classified.

    Paper: Lin et al. 2018, arXiv:1811.05014.

    Cost of a clip: 11 M parameters, 28 MFLOP for 10 × 128 → 527; 89 M parameters, 2.9 GFLOP for 300 × 1152 → 3862.

    All frames of a clip are used, in training too. Features smaller than the largest have half as many clusters and
    groups.

    Args:
        nextvlad_cluster_size: clusters of the largest feature.
        nextvlad_hidden_size: width of the hidden layer.
        nextvlad_groups: groups of the largest feature; fewer where they do not share the expanded feature evenly.
        nextvlad_expansion: by how many times a frame is expanded.
        gating_reduction: the hidden layer's gates are computed through so many times fewer units.
        dropout: share of what comes of the clusters that is dropped in training, in [0, 1).
        video_level_classifier_model: name of the video-level model on top; its hyper-parameters are taken too.

    Raises:
        UserError: if dropout is out of range.
    """

    activation = staticmethod(keras.activations.linear)

    def __init__(
        self,
        *,
        nextvlad_cluster_size=128,
        nextvlad_hidden_size=2048,
        nextvlad_groups=8,
        nextvlad_expansion=2,
        gating_reduction=8,
        dropout=0.5,
        video_level_classifier_model="LogisticModel",
        **kwargs,
    ):
        classifier = {"video_level_classifier_model": video_level_classifier_model}
        super().__init__(nextvlad_hidden_size, "he_normal", gating_reduction, **classifier, **kwargs)
        check_dropout(dropout)
        clusters = sizes_by_feature(self.feature_sizes, nextvlad_cluster_size)
        groups = sizes_by_feature(self.feature_sizes, nextvlad_groups)
        self.aggregations = [
            NextVlad(size * nextvlad_expansion, *numbers)
            for size, *numbers in zip(self.feature_sizes, clusters, groups, strict=True)
        ]
        self.describe_norm = Standardization(name="describe_norm")
        self.drop = keras.layers.Dropout(dropout, name="drop")

    def describe(self, frames, mask, training):
        real = ops.any(mask, axis=1)  # [B]
        vector = self.describe_norm(super().describe(frames, mask, training), mask=real, training=training)
        vector = vector * ops.cast(real, vector.dtype)[:, None]  # a clip without frames is what clips are on average
        return self.drop(vector, training=training)


class NextVlad(keras.layers.Layer):
    """The clusters' residuals of one feature's groups.

    Args:
        size: size E of expanded frames.
        clusters: number of clusters K.
        groups: number of groups G, or where they do not share E evenly, of which the greatest common divisor is taken.
    """

    def __init__(self, size, clusters, groups, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        groups = math.gcd(size, groups)
        self.clusters, self.groups, self.group_size = clusters, groups, size // groups
        self.expand = keras.layers.Dense(size, name="expand")
        self.attention = keras.layers.Dense(groups, activation="sigmoid", name="attention")
        self.activations = NormalizedDense(groups * clusters, name="activations")

    def build(self, frames_shape, **_):
        shape, initializer = (self.clusters, self.group_size), centres_initializer(self.group_size)
        self.centres = self.add_weight(name="centres", shape=shape, initializer=initializer)

    def call(self, frames, mask, training=False):
        """Gives [B, K · E / G] of frames [B, T, D], of which those are real where mask [B, T] is true."""
        expanded = self.expand(frames)  # [B, T, E]
        attention = self.attention(expanded) * ops.cast(mask, frames.dtype)[:, :, None]  # [B, T, G]
        attention = self.as_rows(attention, 1)  # [B, T · G, 1]
        activations = self.activations(expanded, mask=mask, training=training)  # [B, T, G · K]
        shares = softmax_over_clusters(self.as_rows(activations, self.clusters))  # [B, T · G, K]
        sums = weighted_sums(shares, self.as_rows(expanded, self.group_size) * attention)  # [B, K, E / G]
        residuals = sums - shares_of_clips(shares, attention[:, :, 0]) * self.centres
        return ops.reshape(l2_normalize(residuals), (-1, self.clusters * self.group_size))

    def as_rows(self, frames, size):
        """Makes a row of each group: [B, T · G, size] of [B, T, G · size]."""
        return ops.reshape(frames, (-1, frames.shape[1] * self.groups, size))


class Standardization(MaskedBatchNormalization):
    """Batch normalisation whose scale and shift are not trained, as the layer behind it makes up for both."""

    def build(self, input_shape, **_):
        super().build(input_shape)
        self.gamma.trainable = self.beta.trainable = False
