"""The front end as a Keras layer gives what NumPy's gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_audio.audio import LogMel, log_mel
from yt8m_audio.audio.mel_bands import YAMNET_LOG_OFFSET

TIME = np.arange(48_000) / 16_000
NOISE = np.random.RandomState(0).randn(48_000) * 0.1
SOUNDS = {
    "sine": np.sin(2 * np.pi * 1000 * TIME),
    "chirp": np.sin(2 * np.pi * (100 + 1000 * TIME) * TIME),
    "noise": NOISE,
    "silence": np.zeros(48_000),
    "offset": np.ones(48_000),
}
WAVEFORMS = np.stack(list(SOUNDS.values())).astype(np.float32)


@pytest.mark.parametrize("log_offset", [0.01, YAMNET_LOG_OFFSET])
def test_it_gives_what_numpy_gives(log_offset):
    bands = LogMel(log_offset)(WAVEFORMS)
    assert bands.dtype == tf.float32
    np.testing.assert_allclose(bands, log_mel(WAVEFORMS.astype(float), log_offset), atol=1e-4 * 0.01 / log_offset)


def test_xla_gives_what_numpy_gives():
    compiled = tf.function(LogMel(), jit_compile=True)
    np.testing.assert_allclose(compiled(WAVEFORMS), log_mel(WAVEFORMS), atol=1e-4)


def test_in_32_bits_noise_is_as_exact():
    np.testing.assert_allclose(LogMel(fft_dtype="float32")(NOISE[None]), log_mel(NOISE)[None], atol=2e-5)
    np.testing.assert_allclose(LogMel(fft_dtype="float32")(WAVEFORMS), log_mel(WAVEFORMS), atol=2e-3)


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (399, 0), (400, 1), (15_600, 96)])
def test_frames_of_samples(samples, frames):
    assert LogMel()(np.zeros((2, samples), np.float32)).shape == (2, frames, 64)


def test_in_a_model_that_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((16_000,)), LogMel(YAMNET_LOG_OFFSET), keras.layers.GlobalMaxPooling1D()])
    assert model.layers[0].output.shape == (None, 98, 64)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(WAVEFORMS[:, :16_000]), model(WAVEFORMS[:, :16_000]))


def test_in_a_data_set_and_with_gradients():
    bands = next(iter(tf.data.Dataset.from_tensor_slices(WAVEFORMS).batch(2).map(LogMel())))
    assert bands.shape == (2, 298, 64)
    waveform = tf.Variable(WAVEFORMS[2:4, :400])  # noise, silence
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(LogMel()(waveform))
    assert np.isfinite(tape.gradient(total, waveform)).all()


def test_mixed_precision_leaves_it_alone():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert LogMel()(WAVEFORMS).dtype == tf.float32
    finally:
        keras.config.set_dtype_policy("float32")
