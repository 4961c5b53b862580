"""NetFV: Fisher vectors that are learnt (Miech et al. 2017, arXiv:1706.06905).

Each cluster has a centre c and a deviation σ, and sums up of the frames x that it was given

    v[k] = Σ_t a[t, k] · z[t, k],    u[k] = Σ_t a[t, k] · (z[t, k]² - 1),    z[t, k] = (x[t] - c[k]) / σ[k]

with a[t] = softmax over k of BN(W · x[t]), and σ = s² + ε for weights s. Each v[k] is scaled to length 1, and then all
of them together; the same for u.
"""

import keras
from keras import ops

from models.late_fusion import LateFusionModel, sizes_by_feature
from models.layers import weighted_sums
from models.vlad import ClusterAggregation, centres_initializer, normalize_clusters, shares_of_clips
from yt8m_audio.registry import register_model

EPSILON = 1e-6


@register_model
class NetFvModel(LateFusionModel):
    """First and second moments of frames, softly assigned to clusters; a gated hidden layer, classified.

    Paper: Miech et al. 2017, arXiv:1706.06905: NetFV. Its code scales second moments to length 1 only all together.

    Cost of a clip: 37 M parameters, 76 MFLOP for 10 × 128 → 527; 310 M parameters, 860 MFLOP for 300 × 1152 → 3862.

    All frames of a clip are used, in training too. Features smaller than the largest have half as many clusters.

    Args:
        fv_cluster_size: clusters of the largest feature.
        fv_hidden_size: width of the hidden layer.
    """

    def __init__(self, *, fv_cluster_size=128, fv_hidden_size=1024, **kwargs):
        super().__init__(fv_hidden_size, **kwargs)
        self.aggregations = [NetFv(size) for size in sizes_by_feature(self.feature_sizes, fv_cluster_size)]


class NetFv(ClusterAggregation):
    """The clusters' moments of one feature's frames."""

    def build(self, frames_shape, **_):
        shape = (self.clusters, frames_shape[-1])
        self.centres = self.add_weight(name="centres", shape=shape, initializer=centres_initializer(shape[1]))
        deviations = keras.initializers.RandomNormal(mean=1.0, stddev=shape[1] ** -0.5)
        self.roots = self.add_weight(name="roots", shape=shape, initializer=deviations, autocast=False)

    def call(self, frames, mask, training=False):
        """Gives [B, 2 · K · D] of frames [B, T, D], which are 0 where mask [B, T] is false."""
        shares = self.assign(frames, mask=mask, training=training)  # [B, T, K]
        total = shares_of_clips(shares, mask)  # [B, K, 1]
        scale = ops.cast(1 / (ops.square(self.roots) + EPSILON), frames.dtype)
        sums, squares = weighted_sums(shares, frames), weighted_sums(shares, ops.square(frames))  # [B, K, D] each
        first = (sums - total * self.centres) * scale
        second = (squares - (2 * sums - total * self.centres) * self.centres) * ops.square(scale) - total
        return ops.concatenate([normalize_clusters(first), normalize_clusters(second)], axis=-1)
