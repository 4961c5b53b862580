"""NetVLAD without residuals, NetRVLAD or LightVLAD (Miech et al. 2017, arXiv:1706.06905).

Clusters have no centres: each sums up what it was given of the frames x,

    v[k] = Σ_t a[t, k] · x[t],    a[t] = softmax over k of BN(W · x[t])

and v is normalised as in NetVLAD.
"""

from models.late_fusion import LateFusionModel, sizes_by_feature
from models.layers import weighted_sums
from models.vlad import ClusterAggregation, normalize_clusters
from yt8m_audio.registry import register_model


@register_model
class NetRvladModel(LateFusionModel):
    """Sums of frames, softly assigned to clusters; a gated hidden layer, classified.

    Paper: Miech et al. 2017, arXiv:1706.06905: NetRVLAD.

    Cost of a clip: 37 M parameters, 76 MFLOP for 10 × 128 → 527; 310 M parameters, 950 MFLOP for 300 × 1152 → 3862.

    All frames of a clip are used, in training too. Features smaller than the largest have half as many clusters.

    Args:
        netvlad_cluster_size: clusters of the largest feature.
        netvlad_hidden_size: width of the hidden layer.
    """

    def __init__(self, *, netvlad_cluster_size=256, netvlad_hidden_size=1024, **kwargs):
        super().__init__(netvlad_hidden_size, **kwargs)
        self.aggregations = [NetRvlad(size) for size in sizes_by_feature(self.feature_sizes, netvlad_cluster_size)]


class NetRvlad(ClusterAggregation):
    """The clusters' sums of one feature's frames."""

    def call(self, frames, mask, training=False):
        """Gives [B, K · D] of frames [B, T, D]."""
        shares = self.assign(frames, mask=mask, training=training)  # [B, T, K]
        return normalize_clusters(weighted_sums(shares, frames))
