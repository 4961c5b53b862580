"""Stacked GRU over frames with attention, as in the sequence models of Li et al. 2017, arXiv:1707.04555.

The outputs h of the top layer are averaged by learnt weights, and the average goes to a video-level classifier:

    summary = Σ_t w[t] h[t],    w = softmax over t of v · tanh(W h[t] + b)
"""

import keras

from models.recurrent import AttentionRecurrentModel, recurrent_layers
from yt8m_audio.registry import register_model


@register_model
class AttentionGruModel(AttentionRecurrentModel):
    """Layers of GRU cells, the outputs of all frames averaged by learnt weights and classified.

    Paper: Li et al. 2017, arXiv:1707.04555, there in both directions and for each feature by itself; the weights are
    made as in Bahdanau et al. 2015, arXiv:1409.0473, without a query.

    Cost of a clip: 13 M parameters, 210 MFLOP for 10 × 128 → 527; 33 M parameters, 8.0 GFLOP for 300 × 1152 → 3862.

    Args:
        gru_cells: cells a layer.
        gru_layers: layers.
    """

    def __init__(self, *, gru_cells=1024, gru_layers=2, **kwargs):
        super().__init__(recurrent_layers(keras.layers.GRU, gru_cells, gru_layers, all_frames=True), **kwargs)
