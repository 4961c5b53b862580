"""Layers and functions of models/layers.py against NumPy."""

import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.batch_normalization import MaskedBatchNormalization, NormalizedDense
from models.layers import (
    frame_mask,
    l2_normalize,
    masked_max,
    masked_mean,
    mix_logits,
    multiply_probabilities,
    repeat_first_frame,
)
from yt8m_audio.batch import dequantize

FRAMES = np.array([[[1.0, -5.0], [3.0, -7.0], [100.0, 100.0]], [[9.0, 9.0], [9.0, 9.0], [9.0, 9.0]]], "float32")
MASK = np.array([[True, True, False], [False, False, False]])


@pytest.mark.parametrize(("byte", "value"), [(0, -1.9921875), (128, 0.0156556), (255, 2.0078125)])
def test_dequantize(byte, value):
    assert float(dequantize(tf.constant(byte, tf.uint8))) == pytest.approx(value, abs=1e-6)


def test_dequantize_lets_floats_pass():
    np.testing.assert_array_equal(dequantize(tf.constant([0.0, 128.0])), [0.0, 128.0])


def test_dequantize_keeps_bytes_apart_in_bfloat16():
    every_byte = tf.range(256)
    exact = np.arange(256) * 4 / 255 + 4 / 512 - 2
    rounded = tf.cast(dequantize(tf.cast(every_byte, tf.uint8), "bfloat16"), tf.float32)
    np.testing.assert_allclose(rounded, exact, rtol=2**-8)


def test_frame_mask():
    np.testing.assert_array_equal(
        frame_mask(tf.constant([2, 0, 3, 9]), 3), [[1, 1, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]]
    )


def test_l2_normalize():
    found = l2_normalize(tf.constant([[3.0, 4.0], [0.0, 0.0], [-200.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 0.0], [-1.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize(("pool", "expected"), [(masked_mean, [2.0, -6.0]), (masked_max, [3.0, -5.0])])
def test_pooling_over_real_frames(pool, expected):
    np.testing.assert_allclose(pool(tf.constant(FRAMES), tf.constant(MASK)), [expected, [0.0, 0.0]])


def test_a_frame_that_does_not_count_has_no_vote():
    votes = tf.constant([[[4.0], [-4.0]]])  # two frames disagree about one class
    weights = tf.math.log([[[1.0], [1e-30]]])
    np.testing.assert_allclose(mix_logits(votes, weights), [[4.0]], rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_mixture_is_that_of_probabilities(axis):
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 3, 3))
    weights = random.dirichlet(np.ones(3), (3, 3))
    weights = np.moveaxis(weights, -1, axis)
    p = (weights / (1 + np.exp(-logits))).sum(axis)
    found = mix_logits(tf.constant(logits, tf.float32), tf.constant(np.log(weights), tf.float32), axis)
    np.testing.assert_allclose(found, np.log(p / (1 - p)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([80, 80], 80),
        ([-80, -80], -80),
        ([80, -80], 0),
        ([80, 0], np.log(3)),
        ([300, 90], 90 + np.log(2)),
        ([-200, -200], -200),
    ],
)
def test_mixture_of_extreme_logits(logits, expected):
    even = tf.fill([1, 2], np.float32(np.log(0.5)))
    np.testing.assert_allclose(mix_logits(tf.constant([logits], tf.float32), even), [expected], rtol=1e-6, atol=1e-6)


def test_mixture_is_added_up_in_float32():
    logits, even = tf.constant([[-3.0, -5.0]], tf.bfloat16), tf.math.log(tf.constant([[0.5, 0.5]], tf.bfloat16))
    p = 0.5 / (1 + np.exp(3)) + 0.5 / (1 + np.exp(5))
    np.testing.assert_allclose(mix_logits(logits, even), [np.log(p / (1 - p))], atol=2e-3)  # bfloat16's step is 0.016


def test_mixture_of_extreme_logits_has_a_gradient():
    logits, even = tf.Variable([[80.0, -80.0], [-1e9, 0.0]]), tf.fill([2, 2], np.float32(np.log(0.5)))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(mix_logits(logits, even))
    assert np.isfinite(tape.gradient(total, logits)).all()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (0, 0, -np.log(3)),
        (-2, 1, -np.log(np.exp(2) + np.exp(-1) + np.exp(1))),
        (80, 3, 3),
        (3, 80, 3),
        (-80, 0, -80 - np.log(2)),
        (0, -80, -80 - np.log(2)),
        (-80, -80, -160),
        (80, 80, 80 - np.log(2)),
    ],
)
def test_product_of_probabilities(first, second, expected):
    found = multiply_probabilities(tf.constant([first], tf.float32), tf.constant([second], tf.float32))
    np.testing.assert_allclose(found, [expected], rtol=1e-6, atol=1e-5)


def normalized(layer, inputs, mask, training):
    return layer(tf.constant(inputs), mask=tf.constant(mask), training=training).numpy()


def rows_and_mask():
    random = np.random.default_rng(1)
    inputs = random.normal(3, 2, (4, 5, 3)).astype("float32")
    mask = np.arange(5) < np.array([5, 2, 0, 3])[:, None]
    return np.where(mask[:, :, None], inputs, np.float32(1000)), mask


def test_batch_normalization_over_real_rows_alone():
    inputs, mask = rows_and_mask()
    layer = MaskedBatchNormalization(epsilon=0.01)
    layer.build(inputs.shape)
    layer.gamma.assign([1.0, 2.0, 3.0])
    layer.beta.assign([0.0, 5.0, -5.0])
    real = inputs[mask]
    expected = (real - real.mean(0)) / np.sqrt(real.var(0) + 0.01) * [1, 2, 3] + [0, 5, -5]
    np.testing.assert_allclose(normalized(layer, inputs, mask, training=True)[mask], expected, rtol=1e-3, atol=1e-4)


def test_centring_alone():
    inputs, mask = rows_and_mask()
    layer, real = MaskedBatchNormalization(center_only=True), inputs[mask]
    centred = normalized(layer, inputs, mask, training=True)[mask]
    np.testing.assert_allclose(centred, real - real.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        normalized(layer, inputs, mask, training=False)[mask], real - 0.9 * real.mean(0), rtol=1e-4, atol=1e-5
    )
    assert layer.trainable_variables == []


def test_gradients_go_through_the_statistics():
    inputs = tf.Variable([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0]])
    layer = MaskedBatchNormalization()
    with tf.GradientTape() as tape:
        out = tf.reduce_sum(layer(inputs, mask=tf.constant([True, True, True]), training=True) ** 2)
    assert np.abs(tape.gradient(out, inputs)).max() < 1e-2  # the sum of squares hardly depends on the inputs


@pytest.mark.parametrize("steps", [1, 3])
def test_moving_averages_start_fast(steps):
    inputs, mask = rows_and_mask()
    layer, mean, variance = MaskedBatchNormalization(), np.zeros(3), np.ones(3)
    for step in range(steps):
        normalized(layer, inputs + step, mask, training=True)
        momentum, real = (1 + step) / (10 + step), inputs[mask] + step
        mean, variance = (
            old * momentum + new * (1 - momentum) for old, new in ((mean, real.mean(0)), (variance, real.var(0)))
        )
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-4)
    expected = (inputs[mask] - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(normalized(layer, inputs, mask, training=False)[mask], expected, rtol=1e-3, atol=1e-4)


def test_momentum_has_a_limit():
    inputs, mask = rows_and_mask()
    layer = MaskedBatchNormalization(momentum=0.9)
    layer.build(inputs.shape)
    layer.updates.assign(1_000_000)
    normalized(layer, inputs, mask, training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * inputs[mask].mean(0), rtol=1e-4)


def test_a_batch_without_real_rows_changes_no_average():
    inputs, mask = rows_and_mask()
    layer = MaskedBatchNormalization()
    normalized(layer, inputs, mask, training=True)
    before = np.array(layer.moving_mean), np.array(layer.moving_variance)
    nothing = normalized(layer, inputs, np.zeros_like(mask), training=True)
    np.testing.assert_allclose((layer.moving_mean, layer.moving_variance), before, rtol=1e-6)
    np.testing.assert_allclose(nothing, normalized(layer, inputs, mask, training=False), rtol=1e-5)


def test_averages_stay_exact_under_mixed_precision():
    layer = MaskedBatchNormalization(dtype="mixed_bfloat16")
    inputs, mask = np.full((2, 1), 2.0, "float32"), np.array([True, True])
    for _ in range(300):
        normalized(layer, inputs, mask, training=True)
    assert float(layer.updates) == 300
    np.testing.assert_allclose(layer.moving_mean, [2.0], rtol=1e-4)


def test_batch_normalization_is_saved_with_its_settings():
    layer = MaskedBatchNormalization(momentum=0.5, epsilon=0.1, center_only=True, name="norm")
    restored = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (restored.momentum, restored.epsilon, restored.center_only, restored.name) == (0.5, 0.1, True, "norm")


TWO_REPLICAS = """
    import numpy as np, tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from models import MixNextVladModel
    from models.batch_normalization import MaskedBatchNormalization, NormalizedDense
    from yt8m_audio.replicas import sum_over_replicas

    random = np.random.default_rng(0)
    inputs = random.normal(3, 2, (6, 3)).astype("float32")
    mask = np.array([True, True, True, True, False, False])  # three real rows on one replica, one on the other
    assert not np.allclose(inputs[:4].mean(0), inputs[:3].mean(0), rtol=1e-2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2

    def on_both(step, *whole):
        def rows(array):
            def of(context):
                return tf.constant(array[3 * context.replica_id_in_sync_group :][:3])
            return strategy.experimental_distribute_values_from_function(of)
        found = tf.function(lambda *parts: strategy.run(step, parts))(*map(rows, whole))
        return tf.nest.map_structure(strategy.experimental_local_results, found)

    def equal(found, expected, what):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4, err_msg=what)

    def step_of(layer, **settings):
        def step(inputs, mask):
            weights = [weight.value for weight in layer.trainable_variables]
            with tf.GradientTape() as tape:
                tape.watch([inputs, weights])
                outputs = layer(inputs, mask=mask, training=True, **settings)
                total = tf.reduce_sum(tf.where(mask[:, None], outputs ** 3, 0.0))
            of_inputs, of_weights = tape.gradient(total, [inputs, weights])
            return [outputs, of_inputs], [sum_over_replicas(gradient) for gradient in of_weights]
        return step

    for what, make, settings in [
        ("batch normalisation", MaskedBatchNormalization, {}),
        ("of features far from zero", MaskedBatchNormalization, {"near_zero": False}),
        ("more units than inputs", lambda: NormalizedDense(5), {}),
        ("fewer units than inputs", lambda: NormalizedDense(2), {}),
    ]:
        alone = make()
        alone.build((None, 3))
        with strategy.scope():
            both = make()
            both.build((None, 3))
            for weight, value in zip(both.weights, alone.weights):
                weight.assign(value.numpy())
        expected = step_of(alone, **settings)(tf.constant(inputs), tf.constant(mask))
        found = on_both(step_of(both, **settings), inputs, mask)
        for parts, want in zip(found[0], expected[0]):
            equal(np.concatenate(parts), want, what)
        for parts, want in zip(found[1], expected[1]):
            equal(parts[0], want, what)
        for name in ("moving_mean", "moving_variance"):
            equal(getattr(both, name), getattr(alone, name), what)

    model = MixNextVladModel(num_classes=4, feature_sizes=(3,))

    def distill(mixture, parts, real):
        with tf.GradientTape() as tape:
            tape.watch([mixture, parts])
            loss = model.distillation(mixture, parts, real)
        return [loss, *tape.gradient(loss, [mixture, parts])]

    logits = [random.normal(size=shape).astype("float32") for shape in ((6, 4), (6, 3, 4))]
    loss, *expected = distill(*map(tf.constant, (*logits, mask)))
    losses, *found = on_both(distill, *logits, mask)
    equal(np.mean(losses), loss, "distillation")  # the training step takes the mean over replicas
    for parts, want in zip(found, expected):
        equal(np.concatenate(parts) / 2, want, "gradient of distillation")
    print("equal")
"""


def test_two_replicas_are_as_one():
    """In a process of its own: TensorFlow's devices cannot be split once they are used."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TWO_REPLICAS)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.endswith("equal\n"), run.stderr[-2000:]


def test_the_gradient_of_the_largest_frame_is_shared_by_equals():
    frames = tf.constant([[[1.0], [3.0], [3.0], [3.0]], [[9.0], [9.0], [9.0], [9.0]]])
    mask = tf.constant([[True, True, True, False], [False, False, False, False]])
    with tf.GradientTape() as tape:
        tape.watch(frames)
        found = masked_max(frames, mask)
    np.testing.assert_array_equal(found, [[3.0], [0.0]])
    gradient = tape.gradient(found, frames, output_gradients=tf.constant([[6.0], [6.0]]))
    np.testing.assert_array_equal(gradient[..., 0], [[0, 3, 3, 0], [0, 0, 0, 0]])


def test_the_first_frame_stands_where_there_is_none():
    found = repeat_first_frame(tf.constant(FRAMES), tf.constant(MASK))
    np.testing.assert_array_equal(found[0], [[1, -5], [3, -7], [1, -5]])


@pytest.mark.parametrize("size", [3, 9])  # fewer inputs than units, and more
@pytest.mark.parametrize("training", [True, False])
def test_a_normalized_dense_layer_is_a_dense_layer_and_a_batch_normalization(training, size):
    random = np.random.default_rng(0)
    inputs = tf.constant(random.normal(3.0, 2.0, (5, 4, size)), tf.float32)
    mask = tf.constant(random.random((5, 4)) < 0.6)
    both, dense, norm = NormalizedDense(7), keras.layers.Dense(7, use_bias=False), MaskedBatchNormalization()
    both(inputs, mask=mask), norm(dense(inputs), mask=mask)
    for weight, value in zip(both.trainable_variables, random.normal(size=(3, 7)).astype("float32"), strict=True):
        weight.assign(weight + value)
    dense.kernel.assign(both.kernel)
    for one, other in zip(norm.weights, both.weights[1:], strict=True):
        one.assign(other)
    calls = [
        lambda: both(inputs, mask=mask, training=training),
        lambda: norm(dense(inputs), mask=mask, training=training),
    ]
    (first, first_gradients), (second, second_gradients) = (
        squares_and_gradients(call, weights)
        for call, weights in zip(
            calls, (both.trainable_variables, [*dense.trainable_variables, *norm.trainable_variables]), strict=True
        )
    )
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)
    for one, other in zip(first_gradients, second_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    for one, other in zip(both.weights[1:], norm.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def squares_and_gradients(call, weights):
    """What a call gives, and the gradients of the sum of its sines."""
    with tf.GradientTape() as tape:
        found = call()
        total = tf.reduce_sum(tf.sin(found))
    return found, tape.gradient(total, [weight.value for weight in weights])


@pytest.mark.parametrize("mean", [0.0, 1e3, 1e5])
def test_features_far_from_zero_are_normalized_too(mean):
    rows = (np.random.default_rng(0).normal(mean, 1.0, (4096, 4))).astype("float32")
    norm = MaskedBatchNormalization()
    found = norm(tf.constant(rows), mask=tf.ones(4096, tf.bool), training=True, near_zero=False)
    np.testing.assert_allclose(np.std(found, axis=0), 1.0, rtol=0.01)
