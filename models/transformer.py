"""Transformer encoder over frames (Vaswani et al. 2017, arXiv:1706.03762).

Each layer lets every frame look at all frames of its clip, then passes it through two dense layers. Both add to what
comes in, which is normalised before them rather than behind (Xiong et al. 2020, arXiv:2002.04745), so that training
needs no warm-up:

    x ← x + attention(LN(x)),    x ← x + W' relu(W LN(x) + b) + b'
"""

import math

import keras
from keras import ops

from models.base import ClassifierOnTop
from models.layers import at_least_one, check_dropout, masked_mean
from yt8m_audio.errors import UserError
from yt8m_audio.registry import register_model

LONGEST_WAVE = 10_000  # frames, over 2π


@register_model
class TransformerModel(ClassifierOnTop):
    """Layers of self-attention over frames; the mean of the frames that come out is classified.

    Paper: Vaswani et al. 2017, arXiv:1706.03762, sections 3.1 to 3.5: the encoder, with sinusoids for positions.

    Cost of a clip: 7.7 M parameters, 130 MFLOP for 10 × 128 → 527; 17 M parameters, 4.5 GFLOP for 300 × 1152 →
    3862.

    Args:
        transformer_layers: layers.
        transformer_heads: heads of attention a layer.
        transformer_units: width of a frame on its way, a multiple of the number of heads; 4 times as wide between.
        dropout: share of units dropped in training of what each layer adds, in [0, 1).

    Raises:
        UserError: if the heads do not share the units evenly, or dropout is out of range.
    """

    frame_order_matters = True

    def __init__(self, *, transformer_layers=2, transformer_heads=8, transformer_units=512, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        check_dropout(dropout)
        if transformer_units % transformer_heads:
            units = f"--transformer_units={transformer_units}"
            raise UserError(f"{units} must be a multiple of --transformer_heads={transformer_heads}.")
        self.embed = keras.layers.Dense(transformer_units, name="embed")
        self.drop = keras.layers.Dropout(dropout, name="drop")
        self.encoder = [
            EncoderLayer(transformer_units, transformer_heads, dropout, name=f"layer_{number}")
            for number in range(transformer_layers)
        ]
        self.norm = keras.layers.LayerNormalization(name="norm")

    def summarize(self, frames, mask, training):
        hidden = self.embed(frames)  # [B, T, H]
        hidden = hidden + ops.cast(sinusoids(*hidden.shape[1:]), hidden.dtype)
        hidden = self.drop(hidden, training=training)
        for layer in self.encoder:
            hidden = layer(hidden, mask=mask, training=training)
        return masked_mean(self.norm(hidden), mask)  # [B, H]


class EncoderLayer(keras.layers.Layer):
    """Self-attention among the frames of a clip, then two dense layers on each frame.

    Args:
        units: width H of a frame.
        heads: heads of attention, each of H / heads units.
        dropout: share of units dropped of what either half adds.
    """

    def __init__(self, units, heads, dropout, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.heads = heads
        self.attention_norm = keras.layers.LayerNormalization(name="attention_norm")
        # In one product. The bias of keys would fall out of the softmax, and the norm has one for all three.
        self.projections = keras.layers.Dense(3 * units, use_bias=False, name="projections")
        self.attended = keras.layers.Dense(units, name="attended")
        self.dense_norm = keras.layers.LayerNormalization(name="dense_norm")
        self.wide = keras.layers.Dense(4 * units, activation="relu", name="wide")
        self.narrow = keras.layers.Dense(units, name="narrow")
        self.drop = keras.layers.Dropout(dropout, name="drop")

    def call(self, frames, mask, training=False):
        """Gives frames [B, T, H] of frames [B, T, H], which are looked at where mask [B, T] is true."""
        frames = frames + self.drop(self.attend(self.attention_norm(frames), mask), training=training)
        return frames + self.drop(self.narrow(self.wide(self.dense_norm(frames))), training=training)

    def attend(self, frames, mask):
        """Gives what each frame takes from the others, [B, T, H]."""
        num_frames, units = frames.shape[1:]
        projections = ops.reshape(self.projections(frames), (-1, num_frames, 3, self.heads, units // self.heads))
        query, key, value = ops.unstack(projections, axis=2)  # [B, T, heads, H / heads]
        looked_at = at_least_one(mask)[:, None, None, :]
        # Not Keras' choice of a kernel: on TPU it takes one that gives every clip the first clip's mask.
        attended = ops.dot_product_attention(query, key, value, mask=looked_at, flash_attention=False)
        return self.attended(ops.reshape(attended, (-1, num_frames, units)))


def sinusoids(num_frames, units):
    """Positions [T, H]: sines of wavelengths from 2π to 20,000π frames, then their cosines (section 3.5)."""
    number = math.ceil(units / 2)
    frequencies = LONGEST_WAVE ** -(ops.arange(number, dtype="float32") / number)
    angles = ops.arange(num_frames, dtype="float32")[:, None] * frequencies
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)[:, :units]
