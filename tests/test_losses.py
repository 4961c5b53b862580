"""Losses against their formulas."""

import numpy as np
import pytest
import tensorflow as tf

import yt8m_audio.training  # noqa: F401  registers the losses
from yt8m_audio.errors import UserError
from yt8m_audio.registry import LOSSES

LABELS = np.array([[1, 0, 1], [0, 0, 0]], "uint8")
LOGITS = np.array([[2.0, -1.0, 0.0], [-3.0, 0.5, 5.0]], "float32")
P = 1 / (1 + np.exp(-LOGITS.astype("float64")))
EXTREME = np.array([[1e4, -1e4, 100.0, -100.0]], "float32")


def loss_of(name, labels, logits, *label_weights):
    return LOSSES.get(name)()(tf.constant(labels), tf.constant(logits), *label_weights)


def test_cross_entropy_is_the_starters():
    starter = -(LABELS * np.log(P + 1e-5) + (1 - LABELS) * np.log(1 - P + 1e-5)).sum(axis=1)
    found = loss_of("CrossEntropyLoss", LABELS, LOGITS)
    np.testing.assert_allclose(found, starter, rtol=1e-5)
    assert found.dtype == tf.float32


def test_sigmoid_cross_entropy_is_exact():
    exact = -(LABELS * np.log(P) + (1 - LABELS) * np.log1p(-P)).sum(axis=1)
    np.testing.assert_allclose(loss_of("SigmoidCrossEntropyLoss", LABELS, LOGITS), exact, rtol=1e-6)


def test_the_two_differ_where_a_class_is_surely_wrong():
    found = [float(loss_of(name, [[0]], [[20.0]])[0]) for name in ("CrossEntropyLoss", "SigmoidCrossEntropyLoss")]
    assert found == pytest.approx([-np.log(1e-5 + np.exp(-20)), 20.0], rel=1e-2)


@pytest.mark.parametrize("name", LOSSES.names())
@pytest.mark.parametrize("label", [0, 1])
def test_extreme_logits(name, label):
    logits = tf.Variable(EXTREME)
    with tf.GradientTape() as tape:
        loss = LOSSES.get(name)()(tf.fill([1, 4], label), logits)
    assert loss.shape == (1,)
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, logits)).all()


@pytest.mark.parametrize("name", LOSSES.names())
def test_right_logits_cost_less(name):
    right, wrong = loss_of(name, [[1, 0], [1, 0]], [[3.0, -3.0], [-3.0, 3.0]])
    assert right < 0.2 < 5 < wrong


def test_the_exact_loss_grows_with_the_logit():
    found = loss_of("SigmoidCrossEntropyLoss", [[0, 1, 1, 0]], EXTREME)
    np.testing.assert_allclose(found, [20_000.0], rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES.names())
def test_weights_of_one_change_nothing(name):
    np.testing.assert_array_equal(loss_of(name, LABELS, LOGITS, tf.ones([2, 3])), loss_of(name, LABELS, LOGITS))


@pytest.mark.parametrize("name", LOSSES.names())
def test_only_rated_classes_cost(name):
    label_weights = tf.constant([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    found = loss_of(name, LABELS, LOGITS, label_weights)
    np.testing.assert_allclose(found, [loss_of(name, LABELS[:1, ::2], LOGITS[:1, ::2])[0], 0.0], rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_class_that_was_not_rated_has_no_gradient(name):
    logits = tf.Variable([[9.0, -1.0], [-9.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = LOSSES.get(name)()(tf.zeros([2, 2], tf.uint8), logits, tf.constant([[0.0, 1.0], [0.0, 1.0]]))
    gradient = tape.gradient(loss, logits).numpy()
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 1] > 0).all()


def test_an_unknown_loss():
    with pytest.raises(UserError, match=r"--label_loss=CrossEntropyLos is no loss. Did you mean CrossEntropyLoss\?"):
        LOSSES.get("CrossEntropyLos")
