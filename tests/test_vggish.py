"""The network of VGGish: what torchvggish 0.2 gives with the same weights, its shapes, and that it can be trained."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.vggish_cases import noise_examples, seeded_weights
from yt8m_audio.audio.log_mel_examples import examples_of
from yt8m_audio.audio.mel_bands import log_mel
from yt8m_audio.audio.vggish import Vggish

# Of torchvggish with PyTorch 2.13, behind each layer's ReLU (none behind fc2), [2, height, width, channel]: mean,
# deviation, and a few numbers by their place in all of them; tests/test_vggish_oracle.py has where they come from
TORCHVGGISH = {
    "conv1": (0.579413, 1.019261, {196305: 4.639013, 393098: 4.025819, 589998: 0.614745}),
    "conv2": (0.693789, 1.009116, {98294: 2.079622, 196489: 2.096333, 294810: 0.443068}),
    "conv3_1": (0.695639, 1.148517, {49343: 0.187950, 98505: 0.186055, 147743: 1.273330}),
    "conv3_2": (0.649038, 1.054875, {49018: 1.174075, 98295: 1.165832, 147350: 1.391218}),
    "conv4_1": (0.841477, 1.190777, {24544: 0.673008, 49121: 1.348124, 73748: 0.767851}),
    "conv4_2": (0.727261, 1.159100, {24754: 0.743384, 49199: 1.972568, 73950: 1.290251}),
    "fc1_1": (0.984653, 1.445730, {2076: 2.320402, 4086: 2.759468, 6163: 0.867695}),
    "fc1_2": (0.989534, 1.457365, {1996: 1.357557, 4112: 0.432881, 6087: 0.353890}),
    "fc2": (-0.008673, 2.372857, {64: -2.888482, 128: 2.163101, 192: -2.952685}),
}
SMALL = {"width": 1 / 16}


@pytest.fixture(scope="module")
def outputs() -> dict[str, np.ndarray]:
    """Outputs of each layer with seeded weights."""
    vggish = Vggish()
    vggish.build()
    vggish.set_weights(seeded_weights([weight.shape for weight in vggish.weights]))
    network = vggish.network
    inner = keras.Model(network.inputs[0], {name: network.get_layer(name).output for name in TORCHVGGISH})
    found = {name: keras.ops.convert_to_numpy(each) for name, each in inner(noise_examples()[..., None]).items()}
    return {**found, "embeddings": keras.ops.convert_to_numpy(vggish(noise_examples()))}


@pytest.mark.parametrize("name", TORCHVGGISH)
def test_a_layer_gives_what_torchvggish_gives(outputs, name):
    mean, deviation, some = TORCHVGGISH[name]
    output = outputs[name]
    np.testing.assert_allclose([output.mean(dtype=float), output.std(dtype=float)], [mean, deviation], atol=2e-5)
    np.testing.assert_allclose(output.ravel()[list(some)], list(some.values()), atol=1e-4)


def test_the_output_is_linear(outputs):
    assert (outputs["embeddings"] < 0).any()
    np.testing.assert_array_equal(outputs["embeddings"], outputs["fc2"])


def test_its_size():
    with keras.StatelessScope(initialize_variables=False):
        vggish = Vggish()
        vggish.build()
        assert vggish.count_params() == 72_141_184


def test_the_old_final_relu():
    linear, cut = Vggish(**SMALL), Vggish(**SMALL, final_relu=True)
    examples = noise_examples()
    linear(examples), cut(examples)
    cut.set_weights(linear.get_weights())
    np.testing.assert_array_equal(cut(examples), np.maximum(linear(examples), 0))


def test_a_channel_may_be_there():
    vggish, examples = Vggish(**SMALL), noise_examples()
    np.testing.assert_array_equal(vggish(examples), vggish(examples[..., np.newaxis]))


@pytest.mark.parametrize("shape", [(2, 192, 64), (2, 96, 128), (96, 64)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\[N, 96, 64\]"):
        Vggish(**SMALL)(np.zeros(shape, np.float32))


def test_mixed_precision_ends_in_float32():
    vggish = Vggish(**SMALL, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(vggish(noise_examples()).dtype) == "float32"
    assert {layer.compute_dtype for layer in vggish.network.layers[:-1]} == {"bfloat16"}


def sounds() -> tuple[np.ndarray, np.ndarray]:
    """Examples of sines and of noise, and which is which."""
    random, time = np.random.default_rng(0), np.arange(15_600) / 16_000
    sines = [0.5 * np.sin(2 * np.pi * pitch * time) for pitch in random.uniform(200, 4000, 16)]
    noises = random.normal(0, 0.2, (16, 15_600))
    examples = np.concatenate([examples_of(log_mel(np.float32(each))) for each in [*sines, *noises]])
    return examples, np.repeat([0, 1], 16)


def tagger(vggish: Vggish) -> keras.Model:
    model = keras.Sequential([keras.Input((96, 64)), vggish, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    return model


def test_it_learns_is_saved_and_goes_on(tmp_path):
    keras.utils.set_random_seed(0)
    vggish = Vggish(**SMALL)
    history = tagger(vggish).fit(*sounds(), epochs=6, batch_size=8, verbose=0).history
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    vggish.save(tmp_path / "vggish.keras")
    again = keras.saving.load_model(tmp_path / "vggish.keras")
    np.testing.assert_array_equal(again(noise_examples()), vggish(noise_examples()))

    again.trainable = False  # its embeddings stay, and a new head learns
    before = again.get_weights()
    head = tagger(again).fit(*sounds(), epochs=6, batch_size=8, verbose=0).history
    assert head["accuracy"][-1] == 1
    assert all(map(np.array_equal, again.get_weights(), before))


@pytest.mark.slow
def test_the_docs_example_runs(tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "vggish.md").read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", page, re.S) if "def tagger" in block)
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)
    assert np.argmax(found["tagger"](found["again"]).predict(found["examples"], verbose=0), axis=1).shape == (64,)
    assert (tmp_path / "vggish.keras").is_file()
