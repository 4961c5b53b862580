"""Augmentation of batches: what each changes and what it leaves."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.training.augmentation import augment, augments, check_augmentation

CLIPS, T, D = 400, 6, 6
NUM_FRAMES = np.tile([6, 4, 1, 0], CLIPS // 4).astype("int32")
REAL = np.arange(T) < NUM_FRAMES[:, None]  # [B, T]
FRAMES = np.arange(1, 1 + T * D).reshape(T, D)  # no two numbers alike
ALL = {"frame_shuffle": True, "frame_dropout": 0.3, "frame_mask_size": 2, "feature_mask_size": 2, "mixup_alpha": 0.5}

each_one = pytest.mark.parametrize("asked", [{name: value} for name, value in ALL.items()], ids=list(ALL))
both_types = pytest.mark.parametrize(("dtype", "blank"), [("uint8", 127), ("float32", 0.0)])


def batch_of(features, num_frames, labels=None, weights=None, **more):
    size = len(features)
    labels = np.zeros((size, 3), "uint8") if labels is None else labels
    weights = np.ones(size, "float32") if weights is None else np.array(weights, "float32")
    arrays = {"features": features, "num_frames": num_frames, "labels": labels, "example_weights": weights, **more}
    return {name: tf.constant(each) for name, each in arrays.items()}


def clips(dtype="uint8", padding=0):
    features = np.where(REAL[:, :, None], FRAMES, padding).astype(dtype)
    return batch_of(features, NUM_FRAMES)


def four_clips():
    """Clips of 0 to 3 frames, with a class and a probability of its own for each; their padding is not 0."""
    features = np.arange(4 * 3 * 2, dtype="uint8").reshape(4, 3, 2) * 10
    teacher = {"teacher": np.float32([[0.1], [0.2], [0.4], [0.8]]), "teacher_weights": np.float32([0, 0.5, 0.5, 0.5])}
    return batch_of(features, np.int32([2, 3, 0, 1]), np.eye(4, dtype="uint8"), **teacher)


def video_level():
    return batch_of(np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), np.int32([1, 1, 1]), np.eye(3, dtype="uint8"))


def augmented(batch, seed=(3, 5), **asked):
    return {name: each.numpy() for name, each in augment(batch, TrainConfig(**asked), tf.constant(seed)).items()}


def lengths(mask):
    """How many places are true in each row [B, N], which must be next to each other."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(int), axis=1)
    assert (np.abs(edges).sum(axis=1) <= 2).all()
    return mask.sum(axis=1)


def test_shuffled_frames():
    batch = clips(padding=99)
    found = augmented(batch, frame_shuffle=True)
    orders = {4: set(), 1: set(), 0: set(), 6: set()}
    for features, num_frames in zip(found["features"], NUM_FRAMES, strict=True):
        assert sorted(features[:num_frames].tolist()) == FRAMES[:num_frames].tolist()
        assert (features[num_frames:] == 99).all()
        orders[num_frames].add(tuple(features[:num_frames, 0]))
    assert len(orders[4]) > 20  # of 24
    assert {order[0] for order in orders[6]} == set(FRAMES[:, 0])
    np.testing.assert_array_equal(found["num_frames"], NUM_FRAMES)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("rate", [0.3, 0.99])
def test_dropped_frames(rate, dtype):
    found = augmented(clips(dtype, padding=99), frame_dropout=rate)
    features, num_frames = found["features"], found["num_frames"]
    assert (features.dtype, num_frames.dtype) == (dtype, "int32")
    assert ((num_frames >= np.minimum(NUM_FRAMES, 1)) & (num_frames <= NUM_FRAMES)).all()
    for each, kept, before in zip(features, num_frames, NUM_FRAMES, strict=True):
        rows = [FRAMES.tolist().index(frame) for frame in each[:kept].astype(int).tolist()]
        assert rows == sorted(set(rows) & set(range(before)))
        assert (each[kept:] == 0).all()
    six = NUM_FRAMES == 6
    assert num_frames[six].mean() == pytest.approx(max(6 * (1 - rate), 1), abs=0.25)
    assert set(features[six][:, 0, 0]) >= set(FRAMES[: 4 if rate < 0.5 else 6, 0])  # any frame can be the first


@both_types
@pytest.mark.parametrize("size", [1, 2, 99])
def test_blanked_frames(size, dtype, blank):
    batch = clips(dtype)
    features = augmented(batch, frame_mask_size=size)["features"]
    changed = (features != batch["features"].numpy()).any(axis=-1)  # [B, T]
    assert (features[changed] == blank).all()
    assert not changed[~REAL].any()
    for num_frames in (6, 4, 1, 0):
        longest = max(min(size, num_frames - 1), 0)
        clip = changed[num_frames == NUM_FRAMES]
        assert set(lengths(clip)) == set(range(longest + 1))
        assert clip.any(axis=0).tolist() == [longest > 0] * num_frames + [False] * (T - num_frames)


@both_types
@pytest.mark.parametrize("size", [1, 3, 99])
def test_blanked_features(size, dtype, blank):
    batch = clips(dtype)
    features = augmented(batch, feature_mask_size=size)["features"]
    changed = features != batch["features"].numpy()  # [B, T, D]
    assert (features[changed] == blank).all()
    np.testing.assert_array_equal(changed, REAL[:, :, None] & changed[:, :1])  # the same in all real frames
    assert set(lengths(changed[NUM_FRAMES > 0, 0])) == set(range(min(size, D - 1) + 1))
    assert changed.any(axis=(0, 1)).all()


def test_blanked_features_of_a_video_level_model():
    features = augmented(batch_of(np.ones((100, 4), "float32"), np.ones(100, "int32")), feature_mask_size=2)["features"]
    assert set(features.ravel()) == {0, 1}
    assert set(lengths(features == 0)) == {0, 1, 2}


def test_frames_and_features_are_drawn_apart():
    batch = clips()
    at_once, six = augmented(batch, frame_mask_size=5, feature_mask_size=5)["features"], NUM_FRAMES == 6
    frames = (at_once == 127).all(axis=2)[six].sum(axis=1)
    features = (at_once == 127).all(axis=1)[six].sum(axis=1)
    assert abs(np.corrcoef(frames, features)[0, 1]) < 0.3
    by_itself = augmented(batch, feature_mask_size=5)["features"]
    np.testing.assert_array_equal(features, (by_itself == 127).all(axis=1)[six].sum(axis=1))


@pytest.mark.parametrize("seed", [(0, 0), (0, 1), (7, 1)])
def test_mixed_clips(seed):
    batch = four_clips()
    found = augmented(batch, seed, mixup_alpha=1.0)
    shares = found["labels"]  # [4, 4], of each clip in each, as each has a class of its own
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert (shares - np.diag(np.diag(shares)) > 0).sum(axis=0).max() == 1  # nobody is the partner of two
    assert (shares > 0).sum(axis=1).max() == 2
    real = np.arange(3) < batch["num_frames"].numpy()[:, None]
    values = (batch["features"].numpy() * (4 / 255) + 4 / 512 - 2) * real[:, :, None]
    np.testing.assert_allclose(found["features"], np.einsum("ij,jtd->itd", shares, values), atol=1e-6)
    np.testing.assert_allclose(found["teacher"], shares @ batch["teacher"].numpy(), rtol=1e-5)
    assert {found[name].dtype for name in ("features", "labels", "teacher")} == {np.dtype("float32")}
    for name, of_both in (("num_frames", max), ("teacher_weights", min)):
        expected = [of_both(batch[name].numpy()[row > 0]) for row in shares]
        np.testing.assert_array_equal(found[name], expected)
        assert found[name].dtype == batch[name].dtype
    np.testing.assert_array_equal(found["example_weights"], [1, 1, 1, 1])


def test_mixed_clips_of_a_video_level_model():
    found = augmented(video_level(), mixup_alpha=1.0)
    shares = found["labels"]
    assert (shares < 1).sum() > 3
    np.testing.assert_allclose(found["features"], shares @ video_level()["features"].numpy(), rtol=1e-6)


def test_rows_that_fill_up_do_not_mix():
    batch = {**four_clips(), "example_weights": tf.constant([1.0, 0.0, 1.0, 0.0])}
    shares = [augmented(batch, (0, step), mixup_alpha=1.0)["labels"] for step in range(20)]
    ever = np.any(np.array(shares) > 0, axis=0)
    np.testing.assert_array_equal(ever, [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]])
    alone = {**four_clips(), "example_weights": tf.constant([1.0, 0.0, 0.0, 0.0])}
    found = augmented(alone, mixup_alpha=1.0)
    for name in ("labels", "num_frames", "teacher", "teacher_weights"):
        np.testing.assert_array_equal(found[name], alone[name])


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_shares_follow_the_beta_distribution(alpha):
    size = 512
    batch = batch_of(np.zeros((size, 1), "float32"), np.ones(size, "int32"), np.eye(size, dtype="uint8"))
    shares = [np.diag(augmented(batch, (0, step), mixup_alpha=alpha)["labels"]) for step in range(8)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)


@each_one
def test_a_seed_gives_one_result(asked):
    batch = clips()
    first, again = (augmented(batch, (1, 2), **asked)["features"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for seed in ((1, 3), (2, 2), (2, 1)):
        assert (augmented(batch, seed, **asked)["features"] != first).any()


@each_one
def test_types_and_shapes_stay(asked):
    batch = clips()
    found = augment(batch, TrainConfig(**asked), tf.constant([0, 0]))
    assert {name: each.shape for name, each in found.items()} == {name: each.shape for name, each in batch.items()}
    floats = {"features", "labels", "example_weights"} if "mixup_alpha" in asked else {"example_weights"}
    assert {name for name, each in found.items() if each.dtype == tf.float32} == floats


@pytest.mark.parametrize(
    ("make", "asked"),
    [
        pytest.param(four_clips, ALL, id="all"),
        pytest.param(four_clips, {**ALL, "mixup_alpha": 0.0}, id="bytes", marks=pytest.mark.slow),
        pytest.param(video_level, {"feature_mask_size": 2, "mixup_alpha": 0.5}, id="video", marks=pytest.mark.slow),
    ],
)
def test_compiled_by_xla_it_is_the_same(make, asked):
    compiled = tf.function(lambda batch, seed: augment(batch, TrainConfig(**asked), seed), jit_compile=True)
    for seed in ((0, 0), (5, 1), (2**31 - 1, -7)):
        expected, found = augmented(make(), seed, **asked), compiled(make(), tf.constant(seed))
        assert found.keys() == expected.keys()
        for name, each in found.items():
            assert each.dtype == expected[name].dtype
            np.testing.assert_allclose(each, expected[name], rtol=1e-6, atol=1e-6, err_msg=name)


@each_one
def test_whether_anything_is_on(asked):
    assert augments(TrainConfig(**asked))
    assert not augments(TrainConfig())


@pytest.mark.parametrize("name", ["frame_shuffle", "frame_dropout", "frame_mask_size"])
def test_a_video_level_model_has_no_frames(name):
    config = TrainConfig(**{name: ALL[name]}, feature_mask_size=2)
    with pytest.raises(UserError, match=rf"--{name}={ALL[name]} .*video-level.*leave --{name} out"):
        check_augmentation(config, level="video", segments=False)
    check_augmentation(config, level="frame", segments=True)


def test_segments_are_not_mixed():
    with pytest.raises(UserError, match=r"--mixup_alpha=0.5: segments cannot be mixed.*leave"):
        check_augmentation(TrainConfig(mixup_alpha=0.5), level="frame", segments=True)
    check_augmentation(TrainConfig(mixup_alpha=0.5, feature_mask_size=3), level="video", segments=False)
