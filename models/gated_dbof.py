"""Soft deep bag of frames with gates among clusters, as in the code of Miech et al. 2017, arXiv:1706.06905.

The sums s of a clip's frames that clusters get, as in the soft deep bag of frames, are weighed by gates made of the
largest share m that any frame has given to each:

    s[k] · g[k],    g = σ(BN(W · V · m / |m|)),    m[k] = max_t a[t, k]

V has as many rows as a frame has features. The product is scaled to length 1.
"""

import keras
from keras import ops

from models.batch_normalization import NormalizedDense
from models.late_fusion import LateFusionModel, sizes_by_feature
from models.layers import l2_normalize, largest_over_frames, repeat_first_frame
from models.vlad import ClusterAggregation, shares_of_clips
from yt8m_audio.registry import register_model


@register_model
class GatedDbofModel(LateFusionModel):
    """Frames softly assigned to many clusters that gate each other; a gated hidden layer, classified.

    Paper: Miech et al. 2017, arXiv:1706.06905: the code's GatedDbofModelLF, which gates the largest feature alone.

    Cost of a clip: 9.5 M parameters, 29 MFLOP for 10 × 128 → 527; 38 M parameters, 2.6 GFLOP for 300 × 1152 → 3862.

    All frames of a clip are used, in training too. Features smaller than the largest have an eighth of the clusters.

    Args:
        dbof_cluster_size: clusters of the largest feature.
        dbof_hidden_size: width of the hidden layer.
    """

    def __init__(self, *, dbof_cluster_size=4096, dbof_hidden_size=1024, **kwargs):
        super().__init__(dbof_hidden_size, **kwargs)
        sizes = sizes_by_feature(self.feature_sizes, dbof_cluster_size, share=8)
        self.aggregations = [GatedDbof(size) for size in sizes]


class GatedDbof(ClusterAggregation):
    """How much of one feature's frames each cluster gets, times its gate."""

    def __init__(self, clusters, **kwargs):
        super().__init__(clusters, **kwargs)
        self.gates = NormalizedDense(clusters, name="gates")

    def build(self, frames_shape, **_):
        self.squeeze = keras.layers.Dense(frames_shape[-1], use_bias=False, name="squeeze")

    def call(self, frames, mask, training=False):
        """Gives [B, K] of frames [B, T, D]."""
        frames = repeat_first_frame(frames, mask)  # so that no maximum is that of padding
        shares = self.assign(frames, mask=mask, training=training)  # [B, T, K]
        largest = l2_normalize(largest_over_frames(shares, mask))  # [B, K]
        gates = self.gates(self.squeeze(largest), mask=ops.any(mask, axis=1), training=training)
        return l2_normalize(shares_of_clips(shares, mask)[:, :, 0] * ops.sigmoid(gates))
