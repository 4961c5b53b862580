"""Temporal convolutions over frames, after the temporal residual network of Li et al. 2017, arXiv:1707.04555.

Its blocks, whose order of layers is that of He et al. 2016, arXiv:1603.05027, add to each frame what two convolutions
see around it:

    x ← x + conv(relu(BN(conv(relu(BN(x))))))
"""

import keras
from keras import ops

from models.base import ClassifierOnTop
from models.batch_normalization import MaskedBatchNormalization
from models.layers import largest_over_frames, masked_mean
from yt8m_audio.registry import register_model


@register_model
class ConvModel(ClassifierOnTop):
    """Residual blocks of convolutions over time; the mean and the maximum of all frames are classified.

    Paper: Li et al. 2017, arXiv:1707.04555, whose network (temporal_cnn of github.com/baidu/Youtube-8M) also halves its
    320 frames five times, grows wider each time, and takes the mean alone: here frames and width stay as they are.

    Cost of a clip: 6.0 M parameters, 72 MFLOP for 10 × 128 → 527; 25 M parameters, 3.0 GFLOP for 300 × 1152 → 3862.

    Args:
        conv_units: width of every convolution.
        conv_blocks: residual blocks, of two convolutions each.
        conv_kernel_size: frames that a convolution sees at once.
    """

    frame_order_matters = True

    def __init__(self, *, conv_units=512, conv_blocks=2, conv_kernel_size=3, **kwargs):
        super().__init__(**kwargs)
        self.stem = temporal_convolution(conv_units, conv_kernel_size, name="stem")
        self.blocks = [
            [NormalizedConvolution(conv_units, conv_kernel_size, name=f"block_{block}_{part}") for part in range(2)]
            for block in range(conv_blocks)
        ]
        self.last_norm = MaskedBatchNormalization(name="last_norm")

    def summarize(self, frames, mask, training):
        hidden = self.stem(frames)  # [B, T, H]
        for first, second in self.blocks:
            seen = first(hidden, mask=mask, training=training)
            hidden = hidden + second(seen, mask=mask, training=training)
        hidden = rectified(self.last_norm(hidden, mask=mask, training=training), mask)
        return ops.concatenate([masked_mean(hidden, mask), largest_over_frames(hidden, mask)], axis=-1)  # [B, 2 H]


class NormalizedConvolution(keras.layers.Layer):
    """Batch normalisation, ReLU and a convolution over time, to which padding is what lies beyond a clip: zeros."""

    def __init__(self, units, kernel_size, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.norm = MaskedBatchNormalization(name="norm")
        self.convolution = temporal_convolution(units, kernel_size, name="convolution")

    def call(self, frames, mask, training=False):
        """Gives [B, T, units] of frames [B, T, D], of which those are real where mask [B, T] is true."""
        return self.convolution(rectified(self.norm(frames, mask=mask, training=training), mask))


def temporal_convolution(units, kernel_size, name):
    """A convolution over time that keeps the number of frames; a bias would fall out of the normalisation behind it."""
    return keras.layers.Conv1D(units, kernel_size, padding="same", use_bias=False, name=name)


def rectified(frames, mask):
    """ReLU of frames [B, T, D], and 0 where mask [B, T] is false."""
    return ops.relu(frames) * ops.cast(mask, frames.dtype)[:, :, None]
