"""Optimizers by name, and the starter's learning-rate decay."""

import keras
import numpy as np
import pytest

from yt8m_audio.config import TrainConfig
from yt8m_audio.errors import UserError
from yt8m_audio.training.optimizers import KERAS_NAMES, STARTER_NAMES, build_optimizer, make_optimizer
from yt8m_audio.training.schedules import make_schedule


def config(**settings):
    return TrainConfig(**{"base_learning_rate": 0.1, **settings})


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.1), (9, 0.1), (10, 0.05), (19, 0.05), (20, 0.025), (100, 0.1 * 0.5**10)]
)
def test_decay_is_a_staircase(step, expected):
    schedule = make_schedule(config(batch_size=10, learning_rate_decay=0.5, learning_rate_decay_examples=100), 1)
    assert float(schedule(step)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("batch_size", "examples"), [(1024, 4_000_000), (512, 400_000), (300, 4_000_000), (7, 1000)])
def test_decay_counts_clips(batch_size, examples):
    settings = config(batch_size=batch_size, learning_rate_decay=0.9, learning_rate_decay_examples=examples)
    schedule = make_schedule(settings, 1)
    for stair in (1, 2, 17):
        first = -(-stair * examples // batch_size)  # the first step that begins with so many clips seen
        for step in (first - 1, first, first + 1):
            expected = 0.1 * 0.9 ** (step * batch_size // examples)
            assert float(schedule(step)) == pytest.approx(expected, rel=1e-5), step


def test_the_optimizer_follows_the_decay():
    optimizer = make_optimizer(config(batch_size=1, learning_rate_decay=0.5, learning_rate_decay_examples=2), 1)
    weight = keras.Variable(1.0)
    rates = []
    for _ in range(5):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([np.float32(1.0)], [weight])
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


@pytest.mark.parametrize("name", STARTER_NAMES)
def test_starter_names(name):
    assert type(make_optimizer(config(optimizer=name), 1)).__name__ == STARTER_NAMES[name]


@pytest.mark.parametrize("name", KERAS_NAMES)
def test_keras_names_lower_a_loss(name):
    optimizer, weight = make_optimizer(config(optimizer=name), 1), keras.Variable([1.0])
    optimizer.apply([keras.ops.convert_to_tensor([2.0])], [weight])
    assert type(optimizer).__name__ == name
    assert float(weight[0]) < 1.0


def test_adam_has_the_starters_epsilon():
    assert make_optimizer(config(optimizer="AdamOptimizer"), 1).epsilon == 1e-8
    assert make_optimizer(config(optimizer="Adam"), 1).epsilon == 1e-8


@pytest.mark.parametrize(
    ("name", "nearest"), [("AdamOptimiser", "AdamOptimizer"), ("Adan", "Adam"), ("RMSProb", "RMSprop")]
)
def test_an_unknown_name_answers_with_the_nearest(name, nearest):
    with pytest.raises(UserError, match=rf"--optimizer={name} is no optimizer\. Did you mean {nearest}\?"):
        make_optimizer(config(optimizer=name), 1)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.1), (5, 0.05 * (1 + 2**-0.5)), (10, 0.05), (20, 0.0), (30, 0.0)])
def test_a_cosine_ends_with_the_run(step, expected):
    schedule = make_schedule(config(learning_rate_schedule="cosine"), 20)
    assert float(schedule(step)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", ["staircase", "cosine", "constant"])
def test_warm_up_rises_in_proportion_to_what_follows(name):
    schedule = make_schedule(config(learning_rate_schedule=name, warmup_steps=4), 20)
    assert [float(schedule(step)) for step in range(4)] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert float(schedule(5)) == pytest.approx(0.1, rel=0.01)
    assert float(schedule(19)) == pytest.approx(0.1 if name != "cosine" else 0.1 * 0.0096, rel=0.01)


def test_a_warm_up_as_long_as_the_run_is_refused():
    with pytest.raises(UserError, match="--warmup_steps=20 must be fewer than the 20 steps"):
        make_schedule(config(warmup_steps=20), 20)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_nothing_decays_unless_asked(name):
    optimizer, kernel = make_optimizer(config(optimizer=name), 1), keras.Variable([[2.0]])
    build_optimizer(optimizer, [kernel])
    optimizer.apply([np.zeros((1, 1), "float32")], [kernel])
    assert float(kernel[0, 0]) == 2.0


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_weight_decay_is_of_matrices_alone(name):
    optimizer = make_optimizer(config(optimizer=name, weight_decay=0.5), 1)
    kernel, bias = keras.Variable([[2.0]]), keras.Variable([2.0])
    build_optimizer(optimizer, [kernel, bias])
    optimizer.apply([np.zeros((1, 1), "float32"), np.zeros(1, "float32")], [kernel, bias])
    assert float(kernel[0, 0]) == pytest.approx(2 * (1 - 0.5 * 0.1))
    assert float(bias[0]) == 2.0
