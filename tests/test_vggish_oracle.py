"""Vggish gives, layer by layer, what torchvggish gives with the same weights. Skipped where that is not installed.

    pip install torch torchvggish resampy soundfile
    python -m pytest tests/test_vggish_oracle.py

Its last ReLU and its rounding of bytes are left aside: Google's code has neither. What it gave is also in
test_vggish.py, as numbers, for everybody else.
"""

import keras
import numpy as np
import pytest

from tests.vggish_cases import LAYERS, noise_examples, seeded_weights
from yt8m_audio.audio.log_mel_examples import examples_of
from yt8m_audio.audio.mel_bands import log_mel
from yt8m_audio.audio.pca import Pca
from yt8m_audio.audio.vggish import Vggish

torch = pytest.importorskip("torch")
torchvggish = pytest.importorskip("torchvggish")


@pytest.fixture(scope="module")
def vggish() -> Vggish:
    model = Vggish()
    model.build()
    model.set_weights(seeded_weights([weight.shape for weight in model.weights]))
    return model


@pytest.fixture(scope="module")
def oracle(vggish):
    """The same network of torchvggish; its kernels are [out, in, height, width], and [out, in]."""
    from torchvggish.torchvggish import VGG, make_layers

    network = VGG(make_layers(), postprocess=False)
    layers = [each for each in network.modules() if isinstance(each, (torch.nn.Conv2d, torch.nn.Linear))]
    for layer, name in zip(layers, LAYERS, strict=True):
        kernel, bias = vggish.network.get_layer(name).get_weights()
        turned = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        layer.weight.data, layer.bias.data = (torch.from_numpy(np.ascontiguousarray(each)) for each in (turned, bias))
    return network.eval()


def outputs_of(oracle) -> dict[str, np.ndarray]:
    """What each layer of torchvggish gives, channels last, behind its ReLU but for the last one."""
    x, found = torch.from_numpy(noise_examples())[:, None], {}
    names = iter(LAYERS)
    with torch.no_grad():
        for layer in oracle.features:
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                found[next(names)] = x.permute(0, 2, 3, 1).numpy().copy()
        x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
        for layer in oracle.embeddings[:-1]:
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU) or layer is oracle.embeddings[-2]:
                found[next(names)] = x.numpy().copy()
    return found


def test_every_layer(vggish, oracle):
    ours = keras.Model(vggish.network.inputs, [vggish.network.get_layer(name).output for name in LAYERS])
    given = ours(noise_examples()[..., np.newaxis])
    for (name, theirs), our in zip(outputs_of(oracle).items(), given, strict=True):
        difference = np.abs(keras.ops.convert_to_numpy(our) - theirs).max() / np.abs(theirs).max()
        print(f"{name}: {difference:.1e} of the largest output")
        assert difference < 1e-5, name


def test_the_whole_with_its_final_relu(vggish, oracle):
    with torch.no_grad():
        theirs = oracle(torch.from_numpy(noise_examples())[:, None]).numpy()
    ours = np.maximum(keras.ops.convert_to_numpy(vggish(noise_examples())), 0)
    np.testing.assert_allclose(ours, theirs, atol=1e-5 * theirs.max())


def test_the_front_end():
    waveform = np.random.RandomState(0).randn(48_000) * 0.1
    theirs = torchvggish.waveform_to_examples(waveform, 16_000, return_tensor=False)
    np.testing.assert_allclose(examples_of(log_mel(waveform)), theirs, atol=1e-9)


def test_the_postprocessing_but_for_its_rounding():
    random = np.random.RandomState(0)
    pca = Pca(random.randn(128, 128).astype(np.float32) * 0.1, random.randn(128).astype(np.float32))
    embeddings = random.randn(50, 128).astype(np.float32)
    theirs = torchvggish.torchvggish.Postprocessor.__new__(torchvggish.torchvggish.Postprocessor)
    theirs._pca_matrix, theirs._pca_means = torch.from_numpy(pca.eigen_vectors), torch.from_numpy(pca.means[:, None])
    rounded = theirs.postprocess(torch.from_numpy(embeddings)).numpy()
    exact = (np.clip(pca.apply(embeddings), -2, 2) + 2) * (255 / 4)
    assert np.abs(rounded - exact).max() <= 0.501
    assert np.isin(rounded - pca.quantized(embeddings), (0, 1)).all()
