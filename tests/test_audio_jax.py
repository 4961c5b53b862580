"""LogMel, Vggish and VggishSource give under Keras' JAX backend what they give under TensorFlow: `make test-jax`.

A process of its own with JAX, and without TensorFlow, runs them on the weights and sounds that this one has too:

    KERAS_BACKEND=jax python -m tests.test_audio_jax FOLDER
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.vggish_cases import noise_examples, seeded_weights
from yt8m_audio.audio import LogMel, Vggish, VggishSource, fit_pca
from yt8m_audio.audio.pca import save_pca

ROOT = Path(__file__).parents[1]
TIME = np.arange(48_000) / 16_000
NOISE = np.random.RandomState(0).randn(48_000).astype(np.float32) * 0.1
SINE = np.sin(2 * np.pi * 1000 * TIME).astype(np.float32)
TOLERANCES = {"noise": 1e-4, "sine": 5e-4, "compiled": 1e-4, "embeddings": 1e-4, "source": 1}  # a step of a byte

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="no JAX here: make test-jax has an environment with it"
)


def seeded() -> Vggish:
    vggish = Vggish(width=1 / 16)
    vggish.build()
    vggish.set_weights(seeded_weights([weight.shape for weight in vggish.weights]))
    return vggish


def outputs(folder: Path) -> dict[str, np.ndarray]:
    """What is compared, and under "losses" those of a network in training."""
    vggish = seeded()
    compiled = keras.Sequential([keras.Input((48_000,)), LogMel()])
    compiled.compile(jit_compile=True)
    found = {
        "noise": LogMel()(NOISE[None]),
        "sine": LogMel()(SINE[None]),
        "compiled": compiled.predict_on_batch(NOISE[None]),
        "embeddings": vggish(noise_examples()),
        "source": VggishSource(folder).embed(NOISE).astype(float),
    }
    tagger = keras.Sequential([keras.Input((96, 64)), vggish, keras.layers.Dense(1)])
    tagger.compile(keras.optimizers.Adam(1e-4), keras.losses.BinaryCrossentropy(from_logits=True))
    found["losses"] = tagger.fit(noise_examples(), np.array([0.0, 1.0]), epochs=8, verbose=0).history["loss"]
    return {name: np.asarray(keras.ops.convert_to_numpy(each)) for name, each in found.items()}


def main(folder: str) -> None:
    """What the process with JAX does."""
    assert keras.backend.backend() == "jax"
    assert "tensorflow" not in sys.modules
    sys.modules["tensorflow"] = None
    np.savez(Path(folder, "outputs.npz"), **outputs(Path(folder)))


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[dict, dict]:
    """Outputs under TensorFlow and under JAX."""
    folder, vggish = tmp_path_factory.mktemp("jax"), seeded()
    vggish.save(folder / "vggish.keras")
    random = np.random.RandomState(0)
    save_pca(folder / "vggish_pca_params.npz", fit_pca(random.randn(500, 128)))
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.test_audio_jax", folder]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    with np.load(folder / "outputs.npz") as jax:
        return outputs(folder), dict(jax)


@needs_jax
@pytest.mark.parametrize("name", TOLERANCES)
def test_gives_under_jax_what_it_gives_under_tensorflow(both, name):
    tensorflow, jax = both
    np.testing.assert_allclose(jax[name], tensorflow[name], atol=TOLERANCES[name])


@needs_jax
def test_learns_under_both(both):
    for found in both:
        assert found["losses"][-1] < 0.5 * found["losses"][0]


if __name__ == "__main__":
    main(*sys.argv[1:])
