"""Soft deep bag of frames (Miech et al. 2017, arXiv:1706.06905, there Soft-DBoW).

Each frame x is shared out among many clusters, and what a clip's frames give to each is summed up,

    s[k] = Σ_t a[t, k],    a[t] = softmax over k of BN(W · x[t])

and s is scaled to length 1.
"""

from models.late_fusion import LateFusionModel, sizes_by_feature
from models.layers import l2_normalize
from models.vlad import ClusterAggregation, shares_of_clips
from yt8m_audio.registry import register_model


@register_model
class SoftDbofModel(LateFusionModel):
    """Frames softly assigned to many clusters and counted; a gated hidden layer, classified.

    Paper: Miech et al. 2017, arXiv:1706.06905: Soft-DBoW, with 8,000 clusters as its code is run.

    Cost of a clip: 13 M parameters, 45 MFLOP for 10 × 128 → 527; 38 M parameters, 5.1 GFLOP for 300 × 1152 → 3862.

    All frames of a clip are used, in training too. Features smaller than the largest have an eighth of the clusters.

    Args:
        dbof_cluster_size: clusters of the largest feature.
        dbof_hidden_size: width of the hidden layer.
    """

    def __init__(self, *, dbof_cluster_size=8000, dbof_hidden_size=1024, **kwargs):
        super().__init__(dbof_hidden_size, **kwargs)
        sizes = sizes_by_feature(self.feature_sizes, dbof_cluster_size, share=8)
        self.aggregations = [SoftDbof(size) for size in sizes]


class SoftDbof(ClusterAggregation):
    """How much of one feature's frames each cluster gets."""

    def call(self, frames, mask, training=False):
        """Gives [B, K] of frames [B, T, D]."""
        shares = self.assign(frames, mask=mask, training=training)  # [B, T, K]
        return l2_normalize(shares_of_clips(shares, mask)[:, :, 0])
