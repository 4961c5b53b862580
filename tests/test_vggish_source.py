"""Sound to VGGish's bytes, with a small network of random weights: rows, hops, blocks, and what is noted."""

import keras
import numpy as np
import pytest

from yt8m_audio.audio import VggishSource
from yt8m_audio.audio.embedding_source import embedded
from yt8m_audio.audio.log_mel_examples import examples_of
from yt8m_audio.audio.mel_bands import log_mel
from yt8m_audio.audio.pca import fit_pca, save_pca
from yt8m_audio.audio.quantize import quantize
from yt8m_audio.audio.vggish import Vggish
from yt8m_audio.errors import UserError

SOUND = np.random.default_rng(1).normal(0, 0.1, 16_000 * 70).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of weights."""
    folder = tmp_path_factory.mktemp("vggish")
    keras.utils.set_random_seed(0)
    vggish = Vggish(width=1 / 32)
    vggish.build()
    vggish.save(folder / "vggish.keras")
    save_pca(folder / "vggish_pca_params.npz", fit_pca(vggish(examples_of(log_mel(SOUND), 10)).numpy()))
    return folder


def test_it_is_log_mel_network_pca_and_quantiser(folder):
    source = VggishSource(folder)
    embeddings = VggishSource(folder, postprocess=False).embed(SOUND[:160_000])
    assert embeddings.dtype == np.float32
    examples = examples_of(log_mel(SOUND[:160_000]))
    np.testing.assert_allclose(embeddings, source.vggish(examples), rtol=1e-4, atol=1e-5)
    frames = source.embed(SOUND[:160_000])
    assert (frames.dtype, frames.shape) == (np.uint8, (10, 128))
    np.testing.assert_array_equal(frames, quantize(source.pca.apply(embeddings)))


@pytest.mark.parametrize("hop", [0.96, 1.0, 0.48, 2.0, 0.01])
def test_a_row_is_of_its_own_samples_alone(folder, hop):
    source = VggishSource(folder, hop, postprocess=False)
    sound = SOUND[:40_000]
    rows = source.embed(sound)
    assert len(rows) == 1 + (len(sound) - source.window_samples) // source.hop_samples
    start = (len(rows) - 1) * source.hop_samples
    alone = source.embed(sound[start : start + source.window_samples])
    np.testing.assert_allclose(alone[0], rows[-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "rows"), [(0, 0), (15_599, 0), (15_600, 1), (30_959, 1), (30_960, 2), (160_000, 10)]
)
def test_rows_of_samples(folder, samples, rows):
    assert VggishSource(folder).embed(SOUND[:samples]).shape == (rows, 128)


@pytest.mark.parametrize("samples", [0, 10_000, 64 * 15_360, 64 * 15_360 + 240, 16_000 * 70])
def test_blocks_give_what_the_whole_gives(folder, samples):
    source, sound = VggishSource(folder), SOUND[:samples]
    blocks = [sound[start : start + 50_001] for start in range(0, samples, 50_001)]
    frames, whole = np.concatenate(list(embedded(source, blocks))), source.embed(sound)
    assert frames.shape == whole.shape
    assert np.abs(frames.astype(int) - whole).max(initial=0) <= 1  # a batch of another size rounds otherwise
    assert (frames == whole).mean() > 0.999 if samples > 20_000 else True


def test_what_is_noted(folder):
    plain, noted = VggishSource(folder).described(), VggishSource(folder, 1.0, final_relu=True).described()
    assert (plain.name, plain.sample_rate, plain.dimension, plain.hop_seconds) == ("vggish", 16_000, 128, 0.96)
    assert plain.differing(noted) == ["hop_seconds", "settings"]
    assert len(plain.digest) == len(plain.settings["pca_digest"]) == 64
    assert VggishSource(folder, postprocess=False).described().settings == {
        "postprocessing": "none",
        "final_relu": False,
    }


def test_a_pca_of_ones_own(folder, tmp_path):
    embeddings = VggishSource(folder, 0.1, postprocess=False).embed(SOUND)
    save_pca(tmp_path / "own.npz", fit_pca(embeddings, 16))
    source = VggishSource(folder, pca=tmp_path / "own.npz")
    assert source.dimension == source.described().dimension == 16
    assert source.embed(SOUND).shape == (72, 16)
    assert VggishSource(folder).described().differing(source.described()) == ["dimension", "settings"]


def test_mixed_precision_is_close(folder):
    source = VggishSource(folder, mixed_precision=True)
    exact, mixed = VggishSource(folder).embed(SOUND).astype(int), source.embed(SOUND)
    assert np.abs(mixed - exact).mean() < 6
    assert source.described().settings["precision"] == "bfloat16"


@pytest.mark.parametrize("hop", [0, -1, 0.005, 0.965, 1e-9])
def test_other_hops_are_refused(folder, hop):
    with pytest.raises(UserError, match=r"--hop_seconds=.* is no multiple of 0\.01"):
        VggishSource(folder, hop)


def test_a_missing_or_wrong_pca_is_named(folder, tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.npz, is not there. python -m yt8m_audio vggish-weights"):
        VggishSource(folder, pca=tmp_path / "nowhere.npz")
    save_pca(tmp_path / "small.npz", fit_pca(np.eye(3)))
    with pytest.raises(UserError, match=r"small\.npz is a PCA of 3 numbers, and VGGish gives 128"):
        VggishSource(folder, pca=tmp_path / "small.npz")
