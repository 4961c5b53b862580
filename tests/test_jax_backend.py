"""Every registered model gives under Keras' JAX backend what it gives under TensorFlow: `make test-jax`.

A process of its own with JAX, and without TensorFlow, runs all models on the weights and clips that this one has too:

    KERAS_BACKEND=jax python -m tests.test_jax_backend outputs.npz
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import models  # noqa: F401  registers the models
from benchmarks.training_step import training_loss
from tests.small_models import SMALL
from yt8m_audio.batch import model_inputs
from yt8m_audio.registry import MODELS

CLASSES, SIZE = 4, 6
ROOT = Path(__file__).parents[1]

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="no JAX here: make test-jax has an environment with it"
)
every_model = pytest.mark.parametrize("name", MODELS.names())


def clips(level: str, max_frames: int) -> dict:
    """Random clips, one of them without frames."""
    random = np.random.default_rng(max_frames)
    frames = random.integers(0, 256, (6, max_frames, SIZE), dtype=np.uint8)
    arrays = {
        "features": frames if level == "frame" else random.normal(size=(6, SIZE)).astype("float32"),
        "num_frames": np.minimum(np.array([5, 1, 3, 0, 4, 2], "int32"), max_frames),
        "labels": (random.random((6, CLASSES)) < 0.4).astype("uint8"),
        "example_weights": np.array([1, 1, 1, 1, 1, 0], "float32"),
    }
    return {key: ops.convert_to_tensor(value) for key, value in arrays.items()}


def small(name: str) -> keras.Model:
    """A model that is quick to run. Made in a stateless scope, its weights have shapes and no values."""
    model = MODELS.get(name)(num_classes=CLASSES, feature_sizes=[SIZE], **SMALL.get(name, {}))
    inputs = model_inputs(clips(model.level, 5))
    model(
        {
            key: keras.KerasTensor(value.shape, keras.backend.standardize_dtype(value.dtype))
            for key, value in inputs.items()
        }
    )
    return model


def is_random_state(variable: keras.Variable) -> bool:
    """Whether it is the state of a generator of random numbers, whose form is the backend's own."""
    return "seed_generator" in variable.path


def weights(model: keras.Model) -> tuple[list, list]:
    """Values of the trainable weights and of the others, the same in each backend; averages are above 0."""
    random = np.random.default_rng(0)
    trainable = [0.3 * random.normal(size=each.shape) for each in model.trainable_variables]
    others = [
        np.zeros(each.shape) if is_random_state(each) else random.uniform(0.5, 1.5, each.shape)
        for each in model.non_trainable_variables
    ]
    return tuple(
        [ops.convert_to_tensor(value, each.dtype) for value, each in zip(values, variables, strict=True)]
        for values, variables in ((trainable, model.trainable_variables), (others, model.non_trainable_variables))
    )


def outputs(name: str) -> dict[str, np.ndarray]:
    """What a model gives in inference on clips of 5 frames, and in a training step on clips of 3.

    With the hyper-parameters of tests.small_models nothing is drawn at random in training on so few frames.
    """
    model = small(name)
    trainable, others = weights(model)

    def inference(weights):
        return model.stateless_call(weights, others, model_inputs(clips(model.level, 5)), training=False)[0]

    def loss(weights):
        return training_loss(model, weights, others, clips(model.level, 3))

    run = jax_run if keras.backend.backend() == "jax" else tensorflow_run
    logits, (total, (training_logits, moved)), gradients = run(inference, loss, trainable)
    averages = [
        each
        for each, variable in zip(moved, model.non_trainable_variables, strict=True)
        if not is_random_state(variable)
    ]
    return {
        "inference": flat([logits]),
        "training": flat([total, training_logits]),
        "averages": flat(averages),
        "gradients": flat(gradients),
    }


def tensorflow_run(inference, loss, trainable):
    """Inference, the loss and what goes with it, and its gradients."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(trainable)
        found = loss(trainable)
    return inference(trainable), found, [ops.convert_to_tensor(each) for each in tape.gradient(found[0], trainable)]


def jax_run(inference, loss, trainable):
    """Inference, the loss and what goes with it, and its gradients."""
    import jax

    return jax.jit(lambda weights: (inference(weights), *jax.value_and_grad(loss, has_aux=True)(weights)))(trainable)


def flat(arrays: list) -> np.ndarray:
    """The numbers of all arrays in a row."""
    return np.concatenate([[], *(np.ravel(ops.convert_to_numpy(each)) for each in arrays)]).astype("float32")


def outputs_of_all() -> dict[str, np.ndarray]:
    """Outputs of all models, as NAME/KEY; or as NAME/error what was raised."""
    found = {}
    for name in MODELS.names():
        try:
            with keras.StatelessScope(initialize_variables=False):
                found |= {f"{name}/{key}": value for key, value in outputs(name).items()}
        except Exception as error:
            found[f"{name}/error"] = np.array(f"{type(error).__name__}: {error}")
    return found


def main(path: str) -> None:
    """What the process with JAX does: models run as where there is no TensorFlow, which Keras imports if it can."""
    assert keras.backend.backend() == "jax"
    assert "tensorflow" not in sys.modules
    sys.modules["tensorflow"] = None
    np.savez(path, **outputs_of_all())


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[dict, dict]:
    """Outputs of all models under TensorFlow and under JAX."""
    path = tmp_path_factory.mktemp("jax") / "outputs.npz"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.test_jax_backend", path]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    with np.load(path) as jax:
        return outputs_of_all(), dict(jax)


@needs_jax
@every_model
def test_gives_under_jax_what_it_gives_under_tensorflow(both, name):
    tensorflow, jax = both
    assert [str(each[f"{name}/error"]) for each in both if f"{name}/error" in each] == []
    for key in ("inference", "training", "averages", "gradients"):
        assert np.isfinite(tensorflow[f"{name}/{key}"]).all(), key
        np.testing.assert_allclose(jax[f"{name}/{key}"], tensorflow[f"{name}/{key}"], rtol=1e-3, atol=1e-4, err_msg=key)


def test_profile_jax_is_the_default_one_and_jax():
    default, jax = (
        {line for line in (ROOT / f"requirements/{profile}.txt").read_text().splitlines() if "==" in line}
        for profile in ("default", "jax")
    )
    assert {line.split("==")[0] for line in jax - default} == {"jax", "jaxlib", "libtpu"}
    assert default <= jax


@needs_jax
def test_flops_count_a_loop_at_each_turn():
    import jax

    from benchmarks.jax_flops import flops

    def loop(state, matrix):  # 5 products of [2, 3] and [3, 3], then one of [3, 2] and [2, 3]
        state, _ = jax.lax.scan(lambda state, _: (state @ matrix, None), state, length=5)
        return state.T @ state

    traced = jax.jit(loop).trace(np.ones((2, 3), "float32"), np.ones((3, 3), "float32"))
    assert flops(traced.jaxpr.jaxpr) == 5 * 2 * (2 * 3 * 3) + 2 * (3 * 3 * 2)


@needs_jax
def test_flops_of_a_convolution():
    import jax

    from benchmarks.jax_flops import flops

    def convolution(clips, kernel):  # [N, T, in], [window, in, out]: 4 outputs of 5 channels, each of 2 × 3 products
        numbers = jax.lax.conv_dimension_numbers(clips.shape, kernel.shape, ("NWC", "WIO", "NWC"))
        return jax.lax.conv_general_dilated(clips, kernel, (1,), "SAME", dimension_numbers=numbers)

    traced = jax.jit(convolution).trace(np.ones((1, 4, 3), "float32"), np.ones((2, 3, 5), "float32"))
    assert flops(traced.jaxpr.jaxpr) == 2 * 4 * 5 * 2 * 3


if __name__ == "__main__":
    main(*sys.argv[1:])
