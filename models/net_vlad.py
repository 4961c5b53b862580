"""NetVLAD (Arandjelović et al. 2016, arXiv:1511.07247) over frames, gated (Miech et al. 2017, arXiv:1706.06905).

Each cluster has a centre c, and sums up how far from it the frames x are that it was given:

    v[k] = Σ_t a[t, k] · (x[t] - c[k]),    a[t] = softmax over k of BN(W · x[t])

Each v[k] is scaled to length 1, and then all of them together.
"""

from models.late_fusion import LateFusionModel, sizes_by_feature
from models.layers import weighted_sums
from models.vlad import ClusterAggregation, centres_initializer, normalize_clusters, shares_of_clips
from yt8m_audio.registry import register_model


@register_model
class NetVladModel(LateFusionModel):
    """Residuals of frames, softly assigned to clusters; a gated hidden layer, classified.

    Paper: Miech et al. 2017, arXiv:1706.06905; NetVLAD: Arandjelović et al. 2016, arXiv:1511.07247.

    Cost of a clip: 37 M parameters, 76 MFLOP for 10 × 128 → 527; 310 M parameters, 950 MFLOP for 300 × 1152 → 3862.

    All frames of a clip are used, in training too. Features smaller than the largest have half as many clusters.

    Args:
        netvlad_cluster_size: clusters of the largest feature.
        netvlad_hidden_size: width of the hidden layer.
    """

    def __init__(self, *, netvlad_cluster_size=256, netvlad_hidden_size=1024, **kwargs):
        super().__init__(netvlad_hidden_size, **kwargs)
        self.aggregations = [NetVlad(size) for size in sizes_by_feature(self.feature_sizes, netvlad_cluster_size)]


class NetVlad(ClusterAggregation):
    """The clusters' residuals of one feature's frames."""

    def build(self, frames_shape, **_):
        shape = (self.clusters, frames_shape[-1])
        self.centres = self.add_weight(name="centres", shape=shape, initializer=centres_initializer(shape[1]))

    def call(self, frames, mask, training=False):
        """Gives [B, K · D] of frames [B, T, D], which are 0 where mask [B, T] is false."""
        shares = self.assign(frames, mask=mask, training=training)  # [B, T, K]
        residuals = weighted_sums(shares, frames) - shares_of_clips(shares, mask) * self.centres  # [B, K, D]
        return normalize_clusters(residuals)
