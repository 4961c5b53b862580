"""A mixture of NeXtVLADs that learn from it (Lin et al. 2018, arXiv:1811.05014).

Each of M NeXtVLADs gives logits z[m], and a gate made of the mean of the frames weighs them:

    z = Σ_m w[m] · z[m],    w = softmax over m of W · BN(mean of x)

In training, each and the mixture are drawn together by what is added to the loss, a mean over clips of

    λ · Σ_m KL(p || p[m]),    p = softmax over classes of z / τ
"""

import keras
from keras import ops

from models.batch_normalization import MaskedBatchNormalization
from models.layers import masked_mean
from models.next_vlad import NextVladModel
from yt8m_audio.errors import UserError
from yt8m_audio.registry import register_model
from yt8m_audio.replicas import sum_over_replicas


@register_model
class MixNextVladModel(NextVladModel):
    """NeXtVLADs, of which this model itself is the first, mixed by a gate, each distilled from the mixture.

    Paper: Lin et al. 2018, arXiv:1811.05014, which also adds the label loss of each NeXtVLAD. Temperature and weight
    of the distillation are those of its code.

    Cost of a clip: 32 M parameters, 83 MFLOP for 10 × 128 → 527; 270 M parameters, 8.8 GFLOP for 300 × 1152 → 3862.

    Args:
        mix_number: NeXtVLADs in the mixture, at least 2.
        mix_temperature: temperature τ of the distillation, above 0.
        mix_distillation: weight λ of the distillation in the loss, 0 or more.

    Raises:
        UserError: if one of them is out of range.
    """

    def __init__(self, *, mix_number=3, mix_temperature=2.0, mix_distillation=1.0, **kwargs):
        super().__init__(**kwargs)
        for name, value, fits, range_ in (
            ("mix_number", mix_number, mix_number >= 2, "at least 2"),
            ("mix_temperature", mix_temperature, mix_temperature > 0, "above 0"),
            ("mix_distillation", mix_distillation, mix_distillation >= 0, "0 or more"),
        ):
            if not fits:
                raise UserError(f"--{name}={value} must be {range_}.")
        self.temperature, self.distillation_weight = mix_temperature, mix_distillation
        kwargs = {**kwargs, "input_normalization": "none"}
        self.others = [NextVladModel(**{**kwargs, "name": f"part_{number}"}) for number in range(1, mix_number)]
        self.mean_norm = MaskedBatchNormalization(name="mean_norm")
        self.mix = keras.layers.Dense(mix_number, use_bias=False, name="mix")

    def classify(self, frames, mask, training):
        inputs = {"features": frames, "num_frames": ops.sum(ops.cast(mask, "int32"), axis=1)}
        parts = [super().classify(frames, mask, training)]
        parts += [other(inputs, training=training) for other in self.others]
        parts, real = ops.stack(parts, axis=1), ops.any(mask, axis=1)  # [B, M, C], [B]
        means = self.mean_norm(masked_mean(frames, mask), mask=real, training=training)  # [B, D]
        weights = ops.softmax(ops.cast(self.mix(means), "float32"))  # [B, M]
        mixture = ops.sum(weights[:, :, None] * parts, axis=1)  # [B, C]
        if training:
            self.add_loss(self.distillation(mixture, parts, real))
        return mixture

    def distillation(self, mixture, parts, real):
        """Gives the distillation loss [] of logits [B, C] and of those of the parts [B, M, C]."""
        wanted = ops.log_softmax(mixture / self.temperature)[:, None]  # [B, 1, C]
        divergences = ops.sum(ops.exp(wanted) * (wanted - ops.log_softmax(parts / self.temperature)), axis=(1, 2))
        weights = ops.cast(real, "float32")  # [B]
        # The training step takes the mean over replicas, which may have different numbers of clips.
        clips = sum_over_replicas(ops.sum(weights)) / sum_over_replicas(ops.ones(()))
        return self.distillation_weight * ops.sum(divergences * weights) / ops.maximum(clips, 1.0)
