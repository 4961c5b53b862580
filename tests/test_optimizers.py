"""Optimizers by name, and the starter's learning-rate decay."""

import keras
import numpy as np
import pytest

from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.training.optimizers import KERAS_NAMES, STARTER_NAMES, learning_rate_schedule, make_optimizer


def config(**settings):
    return TrainConfig(**{"base_learning_rate": 0.1, **settings})


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (9, 0.1), (10, 0.05), (19, 0.05), (20, 0.025), (100, 0.1 * 0.5**10)]
)
def test_decay_is_a_staircase(step, expected):
    schedule = learning_rate_schedule(config(batch_size=10, learning_rate_decay=0.5, learning_rate_decay_examples=100))
    assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("batch_size", "examples"), [(1024, 4_000_000), (512, 400_000), (300, 4_000_000), (7, 1000)])
def test_decay_counts_clips(batch_size, examples):
    schedule = learning_rate_schedule(
        config(batch_size=batch_size, learning_rate_decay=0.9, learning_rate_decay_examples=examples)
    )
    for stair in (1, 2, 17):
        first = -(-stair * examples // batch_size)  # the first step that begins with so many clips seen
        for step in (first - 1, first, first + 1):
            expected = 0.1 * 0.9 ** (step * batch_size // examples)
            assert float(schedule(step)) == pytest.approx(expected, rel=1e-5), step


def test_the_optimizer_follows_the_decay():
    optimizer = make_optimizer(config(batch_size=1, learning_rate_decay=0.5, learning_rate_decay_examples=2))
    weight = keras.Variable(1.0)
    rates = []
    for _ in range(5):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([np.float32(1.0)], [weight])
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


@pytest.mark.parametrize("name", STARTER_NAMES)
def test_starter_names(name):
    assert type(make_optimizer(config(optimizer=name))).__name__ == STARTER_NAMES[name]


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_keras_names_lower_a_loss(name):
    optimizer, weight = make_optimizer(config(optimizer=name)), keras.Variable([1.0])
    optimizer.apply([keras.ops.convert_to_tensor([2.0])], [weight])
    assert type(optimizer).__name__ == name
    assert float(weight[0]) < 1.0


def test_adam_has_the_starters_epsilon():
    assert make_optimizer(config(optimizer="AdamOptimizer")).epsilon == 1e-8
    assert make_optimizer(config(optimizer="Adam")).epsilon == 1e-8


@pytest.mark.parametrize(
    ("name", "nearest"), [("AdamOptimiser", "AdamOptimizer"), ("Adan", "Adam"), ("RMSProb", "RMSprop")]
)
def test_an_unknown_name_answers_with_the_nearest(name, nearest):
    with pytest.raises(UserError, match=rf"--optimizer={name} is no optimizer\. Did you mean {nearest}\?"):
        make_optimizer(config(optimizer=name))
