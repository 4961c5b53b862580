"""Changes batches at random before a model trains on them, on the device and within the training step.

    batch = augment(batch, config, seed)    # seed int32 [2], another one for each step and replica

Frames are put in another order, left out and blanked, then features blanked, then clips mixed in pairs, each where the
config asks for it. What comes out is a function of the batch and the seed, compiled by XLA or not.
"""

import functools

import numpy as np
import tensorflow as tf

from yt8m_audio.batch import dequantize
from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError

FRAME_AUGMENTATIONS = ("frame_shuffle", "frame_dropout", "frame_mask_size")
AUGMENTATIONS = (*FRAME_AUGMENTATIONS, "feature_mask_size", "mixup_alpha")
SHUFFLE, DROPOUT, FRAME_MASK, FEATURE_MASK, PARTNER, SHARE = range(6)  # streams of random numbers
BLANK_BYTE = 127  # stands for -3e-5, the nearest to 0
NUM_QUANTILES = 65_536


def augments(config: TrainConfig) -> bool:
    """Whether a config asks for any augmentation."""
    return any(getattr(config, name) for name in AUGMENTATIONS)


def check_augmentation(config: TrainConfig, level: str, segments: bool) -> None:
    """Looks whether a model of a level, frame or video, can have the augmentations, on rated segments or clips.

    Raises:
        UserError: if frames are to be changed of a model that is fed none, or segments to be mixed.
    """
    asked = [name for name in FRAME_AUGMENTATIONS if getattr(config, name)]
    if asked and level == "video":
        raise UserError(
            f"--{asked[0]}={getattr(config, asked[0])} changes the frames of a clip, of which a video-level model is "
            f"fed none: leave --{asked[0]} out, or choose a frame-level model with --frame_features."
        )
    if config.mixup_alpha and segments:
        raise UserError(
            f"--mixup_alpha={config.mixup_alpha:g}: segments cannot be mixed, as two of them are rated on other "
            "classes: leave --mixup_alpha or --segment_labels out."
        )


def augment(batch: dict, config: TrainConfig, seed) -> dict:
    """Augments the device's part of a batch (see yt8m_audio.batch).

    Args:
        batch: its tensors, of static shapes; features [B, D] can have their features blanked and be mixed alone.
        config: which augmentations, and how much of each.
        seed: int32 [2], another one for each run, step and replica.

    Returns:
        The batch, of the same shapes and types; but features and labels are float32 where clips are mixed.
    """
    if config.frame_shuffle:
        batch = _with_frames_shuffled(batch, seed)
    if config.frame_dropout:
        batch = _with_frames_dropped(batch, config.frame_dropout, seed)
    if config.frame_mask_size:
        batch = _with_frames_blanked(batch, config.frame_mask_size, seed)
    if config.feature_mask_size:
        batch = _with_features_blanked(batch, config.feature_mask_size, seed)
    if config.mixup_alpha:
        batch = _mixed(batch, config.mixup_alpha, seed)
    return batch


def _draw(seed, stream: int, shape):
    """Gives uniform float32 numbers in [0, 1) from one of the streams of a seed.

    Made here of Philox' bits, which are the same compiled by XLA or not; the floats that each makes of them are not.
    """
    own_seed = tf.random.experimental.stateless_fold_in(seed, stream, alg="philox")
    bits = tf.random.stateless_uniform(shape, own_seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox")
    return tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2**-24  # 24 bits: all that a float32 holds exactly


def _real_frames(batch: dict):
    """Gives where frames [B, T, D] are no padding, bool [B, T]."""
    return tf.sequence_mask(batch["num_frames"], batch["features"].shape[1])


def _with_frames_shuffled(batch: dict, seed) -> dict:
    """Puts the real frames in a random order; padding stays behind them."""
    features, real = batch["features"], _real_frames(batch)
    positions = tf.range(features.shape[1], dtype=tf.float32)  # [T]
    keys = tf.where(real, _draw(seed, SHUFFLE, real.shape), 1 + positions)  # [B, T]
    return {**batch, "features": tf.gather(features, tf.argsort(keys), batch_dims=1)}


def _with_frames_dropped(batch: dict, rate: float, seed) -> dict:
    """Leaves out each real frame with a probability, but never the last one left; the others move up."""
    features, real = batch["features"], _real_frames(batch)
    draws = tf.where(real, _draw(seed, DROPOUT, real.shape), -1.0)  # [B, T]
    highest = tf.reduce_max(draws, axis=1, keepdims=True)  # below the rate only where all would go
    kept = real & (draws >= tf.minimum(highest, rate))  # [B, T]
    positions = tf.range(features.shape[1], dtype=tf.float32)  # [T]
    order = tf.argsort(tf.where(kept, positions, positions + features.shape[1]))  # [B, T], those that stay first
    num_frames = tf.reduce_sum(tf.cast(kept, tf.int32), axis=1)  # [B]
    filled = tf.sequence_mask(num_frames, features.shape[1])[:, :, None]
    features = tf.where(filled, tf.gather(features, order, batch_dims=1), tf.zeros([], features.dtype))
    return {**batch, "features": features, "num_frames": num_frames}


def _with_frames_blanked(batch: dict, size: int, seed) -> dict:
    """Blanks a stretch of frames (Park et al. 2019, arXiv:1904.08779, section 2); at least one frame is left."""
    features = batch["features"]
    stretch = _stretch(size, batch["num_frames"], features.shape[1], _draw(seed, FRAME_MASK, [2, features.shape[0]]))
    return {**batch, "features": _blanked(features, stretch[:, :, None])}


def _with_features_blanked(batch: dict, size: int, seed) -> dict:
    """Blanks a stretch of features, the same in all real frames (Park et al. 2019, section 2)."""
    features = batch["features"]
    batch_size, num_features = features.shape[0], features.shape[-1]
    stretch = _stretch(size, num_features, num_features, _draw(seed, FEATURE_MASK, [2, batch_size]))  # [B, D]
    if len(features.shape) == 3:
        stretch = stretch[:, None, :] & _real_frames(batch)[:, :, None]  # [B, T, D]
    return {**batch, "features": _blanked(features, stretch)}


def _stretch(size: int, num_places, width: int, draws):
    """Gives a stretch of places for each clip, bool [B, width], from draws [2, B] in [0, 1).

    Its length is uniform in 0 to min(size, num_places - 1), its start where it fits in num_places, int32 [B] or one.
    """
    longest = tf.maximum(tf.minimum(size, num_places - 1), 0)
    length = tf.cast(draws[0] * tf.cast(longest + 1, tf.float32), tf.int32)  # [B]
    start = tf.cast(draws[1] * tf.cast(num_places - length + 1, tf.float32), tf.int32)  # [B]
    places = tf.range(width)
    return (places >= start[:, None]) & (places < (start + length)[:, None])


def _blanked(features, where):
    """Puts what stands for 0 where a mask, which broadcasts to the features, is true."""
    return tf.where(where, tf.constant(BLANK_BYTE if features.dtype == tf.uint8 else 0, features.dtype), features)


def _mixed(batch: dict, alpha: float, seed) -> dict:
    """Mixes each clip with another (Zhang et al. 2018, arXiv:1710.09412): λ·x + (1 - λ)·x', λ ~ Beta(α, α).

    Padding counts as 0. A clip that fills up, or is to be mixed with one, stays as it is.
    """
    batch_size, weights = batch["features"].shape[0], batch["example_weights"]
    quantiles = tf.constant(_beta_quantiles(alpha))
    share = tf.gather(quantiles, tf.cast(_draw(seed, SHARE, [batch_size]) * NUM_QUANTILES, tf.int32))  # [B], λ
    partner = tf.argsort(_draw(seed, PARTNER, [batch_size]))  # [B]
    both_count = (weights > 0) & (tf.gather(weights, partner) > 0)
    share = tf.where(both_count, share, 1.0)
    partner = tf.where(both_count, partner, tf.range(batch_size))

    def mix(values):
        of_own = tf.reshape(share, [batch_size] + [1] * (len(values.shape) - 1))
        return of_own * values + (1 - of_own) * tf.gather(values, partner)

    features = dequantize(batch["features"])
    if len(features.shape) == 3:
        features = tf.where(_real_frames(batch)[:, :, None], features, 0.0)
    num_frames = tf.maximum(batch["num_frames"], tf.gather(batch["num_frames"], partner))
    mixed = {"features": mix(features), "num_frames": num_frames, "labels": mix(tf.cast(batch["labels"], tf.float32))}
    if "teacher" in batch:
        known = batch["teacher_weights"]
        mixed |= {"teacher": mix(batch["teacher"]), "teacher_weights": tf.minimum(known, tf.gather(known, partner))}
    return {**batch, **mixed}


@functools.cache
def _beta_quantiles(alpha: float) -> np.ndarray:
    """Gives quantiles of Beta(α, α), float32 [NUM_QUANTILES]: XLA has no sampler of it, but can look numbers up."""
    return np.sort(np.random.default_rng(0).beta(alpha, alpha, NUM_QUANTILES)).astype(np.float32)
