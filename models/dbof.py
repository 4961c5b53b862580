"""Deep bag of frames (Abu-El-Haija et al. 2016, arXiv:1609.08675, section 4.2.2), the starter code's DbofModel.

Frames are projected onto many clusters, pooled over time, and hashed down to a vector for a video-level classifier.
"""

import keras
from keras import ops

from models.base import ClassifierOnTop
from models.batch_normalization import MaskedBatchNormalization, NormalizedDense
from models.layers import largest_over_frames, masked_mean, repeat_first_frame
from yt8m_audio.errors import UserError
from yt8m_audio.registry import register_model

POOLING = ("max", "average")
ACTIVATIONS = ("sigmoid", "relu", "relu6")


@register_model
class DbofModel(ClassifierOnTop):
    """Projects frames to clusters, pools them over time, and projects the pool to a hidden layer.

    Paper: Abu-El-Haija et al. 2016, arXiv:1609.08675, section 4.2.2.

    Cost of a clip: 12 M parameters, 43 MFLOP for 10 × 128 → 527; 38 M parameters, 5.7 GFLOP for 300 × 1152 → 3862.

    Training samples frames at random where a clip may have more than are sampled; else, and always in evaluation
    and inference, every frame is used once.

    Args:
        iterations: frames sampled of a clip in training.
        sample_random_frames: whether each sampled frame is drawn for itself, or a run of consecutive ones is taken.
        dbof_add_batch_norm: whether input, clusters and hidden layer are batch-normalised.
        dbof_cluster_size: number of clusters.
        dbof_hidden_size: width of the hidden layer.
        dbof_pooling_method: how clusters are pooled over frames: max or average.
        dbof_activation: activation of clusters and hidden layer: sigmoid, relu or relu6.

    Raises:
        UserError: if the pooling method or the activation is none of these.
    """

    recommended_input_normalization = "l2"

    def __init__(
        self,
        *,
        iterations=30,
        sample_random_frames=True,
        dbof_add_batch_norm=True,
        dbof_cluster_size=8192,
        dbof_hidden_size=1024,
        dbof_pooling_method="max",
        dbof_activation="sigmoid",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if dbof_pooling_method not in POOLING:
            raise UserError(f"--dbof_pooling_method={dbof_pooling_method} is none of {', '.join(POOLING)}.")
        if dbof_activation not in ACTIVATIONS:
            raise UserError(f"--dbof_activation={dbof_activation} is none of {', '.join(ACTIVATIONS)}.")
        self.iterations, self.sample_random_frames = iterations, sample_random_frames
        self.pooling_method = dbof_pooling_method
        self.activation = keras.activations.get(dbof_activation)
        self.hidden = keras.layers.Dense(dbof_hidden_size, use_bias=not dbof_add_batch_norm, name="hidden")
        self.norms = {}
        if dbof_add_batch_norm:
            self.clusters = NormalizedDense(dbof_cluster_size, name="clusters")
            self.norms = {name: MaskedBatchNormalization(name=name) for name in ("frames", "hidden")}
            # What the hidden layer's normalisation takes away again is taken away before it: the pool is far from 0,
            # so that the mean behind the layer moves with its weights faster than a moving average follows.
            self.norms["pool"] = MaskedBatchNormalization(center_only=True, name="pool")
        else:
            self.clusters = keras.layers.Dense(dbof_cluster_size, name="clusters")
        self.random = keras.random.SeedGenerator()

    def summarize(self, frames, mask, training):
        if training and frames.shape[1] > self.iterations:
            frames, mask = self.sample(frames, mask)  # [B, iterations, D]
        real = ops.any(mask, axis=1)  # [B]
        frames = self.norm("frames", frames, mask, training)
        pooled = self.norm("pool", self.pool(frames, mask, training), real, training)  # [B, K]
        hidden = self.norm("hidden", self.hidden(pooled), real, training)
        return self.activation(hidden)  # [B, H]

    def pool(self, frames, mask, training):
        """Gives the clusters' activations [B, K], pooled over frames [B, T, D]."""
        if self.pooling_method == "average":
            return masked_mean(self.activation(self.cluster(frames, mask, training)), mask)
        # All activations rise with their input, so that only the largest needs one. Padding repeats a real frame.
        clusters = self.cluster(repeat_first_frame(frames, mask), mask, training)  # [B, T, K]
        pooled = self.activation(largest_over_frames(clusters, mask))
        return ops.where(ops.any(mask, axis=1)[:, None], pooled, ops.zeros_like(pooled))

    def cluster(self, frames, mask, training):
        """Projects frames [B, T, D] to clusters [B, T, K], batch-normalised where the model was asked to."""
        return self.clusters(frames, mask=mask, training=training) if self.norms else self.clusters(frames)

    def norm(self, name, values, mask, training):
        """Batch-normalises, where the model was asked to."""
        return self.norms[name](values, mask=mask, training=training) if self.norms else values

    def sample(self, frames, mask):
        """Samples `iterations` of each clip's frames, with replacement: frames and mask of what was sampled."""
        batch, num_frames = (
            ops.shape(frames)[0],
            ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True),
        )  # [B, 1]
        if self.sample_random_frames:
            where = keras.random.uniform((batch, self.iterations), seed=self.random) * num_frames
        else:
            last_start = ops.maximum(num_frames - self.iterations, 0.0)
            start = keras.random.uniform((batch, 1), seed=self.random) * (last_start + 1)
            where = ops.floor(start) + ops.arange(self.iterations, dtype="float32")
        where = ops.clip(ops.floor(where), 0.0, ops.maximum(num_frames - 1, 0.0))
        sampled = ops.take_along_axis(frames, ops.cast(where, "int32")[:, :, None], axis=1)
        return sampled, ops.broadcast_to(num_frames > 0, (batch, self.iterations))
