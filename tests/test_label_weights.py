"""Segments: a class that was not rated counts nothing, in training and in evaluation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from yt8m_audio.batch import device_part, only_rated
from yt8m_audio.config import TrainConfig
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.metrics import d_prime
from yt8m_audio.evaluation.scoring import score, scoring_function
from yt8m_audio.training.losses import CrossEntropyLoss
from yt8m_audio.training.step import TrainCall

# Two segments of three classes; the features are the logits. Class 0 is highest and was not rated.
LOGITS = np.array([[5.0, 2.0, -2.0], [5.0, -3.0, 1.0]], "float32")
LABELS = np.array([[0, 1, 0], [0, 1, 0]], "uint8")
RATED = np.array([[0, 1, 1], [0, 1, 1]], "float32")
RATED_PROBABILITIES = RATED / (1 + np.exp(-LOGITS))


class AddBias(keras.Model):
    """Gives its features plus a bias [C], 0 to begin with, as logits."""

    def build(self, shapes):
        self.bias = self.add_weight(shape=(3,), initializer="zeros", dtype="float32")

    def call(self, inputs, training=False):
        return keras.ops.cast(inputs["features"] + self.bias, "float32")  # as every model of ours


def batches_of(label_weights=RATED, example_weights=(1, 1)):
    batch = {
        "video_id": np.array([b"a", b"b"]),
        "features": LOGITS,
        "num_frames": np.ones(2, "int32"),
        "labels": LABELS,
        "example_weights": np.array(example_weights, "float32"),
        "start_time": np.array([30.0, 0.0], "float32"),
    }
    if label_weights is not None:
        batch["label_weights"] = label_weights
    return tf.data.Dataset.from_tensors(batch)


def loss_of(labels, logits):
    return CrossEntropyLoss()(labels, tf.constant(logits)).numpy()


def train_one_step(dataset):
    """Returns the report of a step of gradient descent, and the model's bias after it."""
    dataset = dataset.map(device_part)
    model, optimizer = AddBias(), keras.optimizers.SGD(1.0)
    model(next(iter(dataset)))
    optimizer.build(model.trainable_variables)
    config = TrainConfig(clip_gradient_norm=0.0)
    call = TrainCall(model, optimizer, CrossEntropyLoss(), config, tf.distribute.get_strategy(), (2, 3))
    call.run(iter(dataset), tf.constant(1))
    return call.report(), model.bias.numpy()


def scores_of(dataset, num_clips=2):
    return score(scoring_function(AddBias(), CrossEntropyLoss()), dataset, num_clips, num_classes=3)


def test_only_rated():
    np.testing.assert_array_equal(only_rated(LOGITS), LOGITS)
    np.testing.assert_array_equal(only_rated(LOGITS, RATED), [[0, 2, -2], [0, -3, 1]])


def test_label_weights_go_to_the_device():
    assert "label_weights" in device_part(batches_of().element_spec)


def test_training_counts_rated_classes_alone():
    report, bias = train_one_step(batches_of())
    assert report.hit_at_one == 0.5
    assert report.loss == pytest.approx(loss_of(LABELS[:, 1:], LOGITS[:, 1:]).mean(), rel=1e-6)
    np.testing.assert_allclose(report.probabilities, RATED_PROBABILITIES, rtol=1e-6)
    assert bias[0] == 0
    assert bias[1] > 0 > bias[2]


def test_training_without_label_weights_counts_every_class():
    report, bias = train_one_step(batches_of(label_weights=None))
    assert report.hit_at_one == 0
    assert report.loss == pytest.approx(loss_of(LABELS, LOGITS).mean(), rel=1e-6)
    assert bias[0] < 0


def test_a_teacher_counts_in_training_and_not_in_the_figures():
    taught = {"teacher": np.array([[1, 0, 0], [1, 0, 0]], "float32"), "teacher_weights": np.ones(2, "float32")}
    report, bias = train_one_step(batches_of(label_weights=None).map(lambda batch: {**batch, **taught}))
    np.testing.assert_allclose(bias, (taught["teacher"] - 1 / (1 + np.exp(-LOGITS))).mean(axis=0), rtol=1e-5)
    assert report.loss == pytest.approx(loss_of(LABELS, LOGITS).mean(), rel=1e-6)


def test_evaluation_counts_rated_classes_alone():
    scores = scores_of(batches_of())
    np.testing.assert_allclose(scores.probabilities, RATED_PROBABILITIES, rtol=1e-6)
    assert scores.loss == pytest.approx(loss_of(LABELS[:, 1:], LOGITS[:, 1:]).mean(), rel=1e-6)
    assert evaluate(scores.probabilities, scores.labels, loss=scores.loss)["hit@1"] == 0.5


def test_evaluation_without_label_weights_counts_every_class():
    scores = scores_of(batches_of(label_weights=None))
    assert scores.loss == pytest.approx(loss_of(LABELS, LOGITS).mean(), rel=1e-6)
    assert evaluate(scores.probabilities, scores.labels)["hit@1"] == 0


def test_mixed_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        report, _ = train_one_step(batches_of())
        assert report.probabilities.dtype == np.float32
        np.testing.assert_allclose(report.probabilities, RATED_PROBABILITIES, rtol=1e-2)
    finally:
        keras.config.set_dtype_policy(before)


def test_fewer_clips_than_announced():
    scores = scores_of(batches_of(example_weights=(0, 1)).concatenate(batches_of()), num_clips=7)
    np.testing.assert_allclose(scores.probabilities, RATED_PROBABILITIES[[1, 0, 1]], rtol=1e-6)
    np.testing.assert_array_equal(scores.labels, LABELS[[1, 0, 1]])
    losses = loss_of(LABELS[:, 1:], LOGITS[:, 1:])
    assert scores.loss == pytest.approx(losses[[1, 0, 1]].mean(), rel=1e-6)


def test_no_clips_at_all():
    scores = scores_of(batches_of(example_weights=(0, 0)), num_clips=2)
    assert scores.probabilities.shape == scores.labels.shape == (0, 3)
    assert scores.loss == 0


def test_auc_is_of_the_rated_clips_alone():
    random = np.random.default_rng(0)
    rated = random.random((400, 5)) < 0.1
    rated[:, 4] = False  # a class that nobody rated
    labels = rated & (random.random((400, 5)) < 0.4)
    scores = random.uniform(0.01, 1, (400, 5)) * rated
    figures = evaluate(scores, labels, rated=rated)
    aucs = [roc_auc_score(labels[rated[:, c], c], scores[rated[:, c], c]) for c in range(4)]
    assert figures["auc"] == pytest.approx(np.mean(aucs))
    assert 0.3 < figures["auc"] < 0.7  # the scores are random
    pairs = [labels[:, c].sum() * (rated[:, c].sum() - labels[:, c].sum()) for c in range(4)]
    assert figures["d_prime_class_mean"] == pytest.approx(np.mean([*map(d_prime, aucs, pairs)]))


def test_scores_know_what_was_rated():
    scores = score(scoring_function(AddBias(), CrossEntropyLoss()), batches_of(), 4, 3)
    assert scores.rated.tolist() == [[False, True, True]] * 2
    assert score(scoring_function(AddBias(), CrossEntropyLoss()), batches_of(None), 4, 3).rated is None
