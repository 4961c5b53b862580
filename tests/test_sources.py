"""Embeddings by name and path: built-in ones, models of someone else's, arrays; and what is said of wrong ones."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio.audio.embedding_source import embedded
from yt8m_audio.audio.pca import Pca, save_pca
from yt8m_audio.audio.sources import open_source
from yt8m_audio.errors import UserError

SOUND = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
WINDOW = 1_600


class Energies(tf.Module):
    """Stands for YAMNet: any number of samples in; scores, embeddings and a spectrogram of each 0.05 s out."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="waveform")])
    def __call__(self, waveform):
        parts = tf.reshape(waveform[: tf.shape(waveform)[0] // 800 * 800], [-1, 800])
        embedding = tf.stack([tf.reduce_sum(parts**2, 1), tf.reduce_max(parts, 1), tf.reduce_min(parts, 1)], 1)
        return {"scores": embedding[:, :2], "embedding": embedding, "loudest": tf.reduce_max(waveform)}


class OfOneSize(tf.Module):
    """Takes a batch of waveforms of 0.1 s, and gives two numbers of each."""

    @tf.function(input_signature=[tf.TensorSpec([None, WINDOW], tf.float32, name="waveforms")])
    def __call__(self, waveforms):
        return {"rows": tf.stack([tf.reduce_mean(waveforms, 1), tf.math.reduce_std(waveforms, 1)], 1)}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the models: `any` and `one` as SavedModels, and `one.tflite`."""
    folder = tmp_path_factory.mktemp("models")
    for name, module in (("any", Energies()), ("one", OfOneSize())):
        tf.saved_model.save(module, str(folder / name), signatures=module.__call__)
    (folder / "one.tflite").write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(folder / "one")).convert())
    return folder


def windows_of(hop):
    return [SOUND[start : start + WINDOW] for start in range(0, len(SOUND) - WINDOW + 1, hop)]


@pytest.mark.parametrize("name", ["one", "one.tflite"])
def test_a_model_of_one_size(models, name):
    source = open_source(str(models / name), hop_seconds=0.05)
    assert (source.dimension, source.hop_samples, source.window_samples) == (2, 800, WINDOW)
    wanted = [(each.mean(), each.std()) for each in windows_of(800)]
    np.testing.assert_allclose(source.embed(SOUND), wanted, atol=1e-5)
    assert source.embed(SOUND[:100]).shape == (0, 2)
    blocks = [SOUND[:33_333], SOUND[33_333:]]
    np.testing.assert_array_equal(np.concatenate(list(embedded(source, blocks))), source.embed(SOUND))


def test_a_model_of_any_length_is_asked_about_windows(models):
    source = open_source(str(models / "any"), window_seconds=0.1)
    energies = [(each.reshape(2, 800) ** 2).sum(1).mean() for each in windows_of(WINDOW)]
    np.testing.assert_allclose(source.embed(SOUND)[:, 0], energies, rtol=1e-4)
    assert source.embed(SOUND).dtype == np.float32
    assert source.described().settings == {"window_seconds": 0.1, "output": "embedding"}


def test_a_pca_makes_bytes(models, tmp_path):
    save_pca(tmp_path / "pca.npz", Pca(np.float32([[10, 0], [0, 10]]), np.float32([0, 0])))
    source = open_source(str(models / "one"), pca=str(tmp_path / "pca.npz"))
    frames = source.embed(SOUND)
    assert frames.dtype == np.uint8
    assert frames[:, 1].tolist() == [int((10 * each.std() + 2) * 255 / 4) for each in windows_of(WINDOW)]
    assert source.described().settings.keys() == {"window_seconds", "output", "pca"}


def test_the_note_tells_models_apart(models):
    notes = [open_source(str(models / name)).described() for name in ("one", "one.tflite")]
    assert notes[0].name == notes[1].name == "one"
    assert notes[0].digest != notes[1].digest
    assert dataclasses.asdict(open_source(str(models / "one")).described()) == dataclasses.asdict(notes[0])


def test_arrays_are_found_by_id(tmp_path):
    np.savez(tmp_path / "a.npz", one=np.ones((3, 4), np.float32), two=np.zeros((2, 4)), wide=np.ones((2, 5)))
    source = open_source(str(tmp_path / "a.npz"), hop_seconds=0.5)
    assert source.frames_of("two").shape == (2, 4)
    assert (source.dimension, source.described().name, source.described().hop_seconds) == (4, "arrays", 0.5)
    with pytest.raises(UserError, match="array wide is float32 with 5 features"):
        source.frames_of("wide")
    with pytest.raises(UserError, match="no array for three"):
        source.frames_of("three")
    with pytest.raises(UserError, match="nothing of other sound"):
        source.embed(SOUND)


@pytest.mark.parametrize(
    ("embedding", "settings", "said"),
    [
        ("vgish", {}, "Did you mean vggish"),
        ("log_mel_statistics", {"hop_seconds": 0.5}, "hop of 1 s, and no other"),
        ("log_mel_statistics", {"weights": "w"}, "--weights=w is no setting"),
        ("{models}/any", {}, "--window_seconds how much"),
        ("{models}/any", {"window_seconds": 0.1, "output": "embeding"}, "Did you mean embedding"),
        ("{models}/one", {"window_seconds": 1.0}, r"takes 0\.1 s of sound"),
        ("{models}", {}, "is no embedding"),
        ("{models}/broken.tflite", {}, "cannot be loaded as a LiteRT file"),
    ],
)
def test_what_cannot_be_opened(models, embedding, settings, said):
    (models / "broken.tflite").write_bytes(b"no model")
    with pytest.raises(UserError, match=said) as error:
        open_source(embedding.format(models=models), **settings)
    assert "\n" not in str(error.value)
