"""VGGish's front end against values of Google's own code, 64-bit (FACTS, section 7)."""

import numpy as np
import pytest

from yt8m_audio.audio.log_mel_examples import YAMNET_HOP_FRAMES, examples_of, padded_to_examples
from yt8m_audio.audio.mel_bands import YAMNET_LOG_OFFSET, hann_window, log_mel, mel_matrix

SINE = np.sin(2 * np.pi * 1000 * np.arange(0, 3, 1 / 16_000))
NOISE = np.random.RandomState(0).randn(48_000) * 0.1  # the reference values are of this generator

precisions = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-6), (np.float32, 2e-4)])


@precisions
def test_sine(dtype, tolerance):
    bands = log_mel(SINE.astype(dtype))
    examples = bands[: 3 * 96]
    assert bands.shape == (298, 64)
    assert bands.dtype == dtype
    summary = [examples.mean(), examples.std(), examples.min(), examples.max()]
    np.testing.assert_allclose(summary, [-3.429619, 2.126577, -4.601163, 4.811118], atol=tolerance)
    assert np.unravel_index(examples.argmax(), examples.shape)[1] == 19


@pytest.mark.parametrize(
    ("first", "expected"),
    [(0, [-4.4831, -4.2708, -4.1706, -4.2377, -4.4750]), (18, [2.6930, 4.8111, 4.7750, 2.2622])],
)
def test_first_frame_of_sine(first, expected):
    np.testing.assert_allclose(log_mel(SINE)[0, first : first + len(expected)], expected, atol=6e-5)


@precisions
def test_silence(dtype, tolerance):
    np.testing.assert_allclose(log_mel(np.zeros(48_000, dtype)), -4.605170, atol=tolerance)


@precisions
def test_noise(dtype, tolerance):
    examples = log_mel(NOISE.astype(dtype))[: 3 * 96]
    np.testing.assert_allclose([examples.mean(), examples.std()], [1.090823, 0.787609], atol=tolerance)


def test_mel_matrix():
    matrix = mel_matrix()
    assert matrix.shape == (257, 64)
    np.testing.assert_allclose([matrix.sum(), matrix.max()], [230.913599, 0.996191], atol=1e-6)
    assert np.count_nonzero(matrix) == 461
    assert not matrix[0].any()


def test_every_band_sums_its_column_of_the_matrix():
    spectrum = np.abs(np.fft.rfft(NOISE[:400] * hann_window(), 512))
    np.testing.assert_allclose(log_mel(NOISE[:400])[0], np.log(spectrum @ mel_matrix() + 0.01), rtol=1e-12)


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (15_599, 95), (15_600, 96), (160_000, 998)]
)
def test_frames_of_samples(samples, frames):
    assert log_mel(np.zeros(samples)).shape == (frames, 64)


def test_a_batch_gives_what_its_rows_give():
    waveforms = np.stack([SINE, NOISE, SINE * NOISE]).reshape(3, 1, -1)
    bands = log_mel(waveforms)
    assert bands.shape == (3, 1, 298, 64)
    for waveform, expected in zip(waveforms, bands, strict=True):
        np.testing.assert_allclose(log_mel(waveform[0]), expected[0], rtol=1e-12)


def test_integers_are_refused():
    with pytest.raises(ValueError, match=r"floats in \[-1, 1\].*int16"):
        log_mel(np.zeros(400, np.int16))


@pytest.mark.parametrize(("samples", "examples"), [(15_599, 0), (15_600, 1), (30_960, 2), (160_000, 10)])
def test_examples_of_samples(samples, examples):
    bands = log_mel(np.zeros(samples, np.float32))
    assert examples_of(bands).shape == (examples, 96, 64)


def test_examples_are_bands_at_their_hop():
    bands = log_mel(np.stack([NOISE, SINE]))
    examples = examples_of(bands, 30)
    assert examples.shape == (2, 1 + (298 - 96) // 30, 96, 64)
    for number in range(examples.shape[1]):
        np.testing.assert_array_equal(examples[:, number], bands[:, 30 * number : 30 * number + 96])


@pytest.mark.parametrize(
    ("samples", "examples"), [(0, 1), (15_600, 1), (15_601, 2), (23_280, 2), (23_281, 3), (160_000, 20)]
)
def test_yamnet_fills_its_last_example(samples, examples):
    padded = padded_to_examples(np.ones(samples, np.float32))
    assert padded[:samples].all()
    assert not padded[samples:].any()
    assert len(examples_of(log_mel(padded), YAMNET_HOP_FRAMES)) == examples


def test_yamnets_bands_are_those_of_its_own_operations():
    import tensorflow as tf

    magnitude = tf.abs(tf.signal.stft(NOISE, 400, 160, 512))
    matrix = tf.signal.linear_to_mel_weight_matrix(64, 257, 16_000, 125.0, 7500.0, tf.float64)
    np.testing.assert_allclose(log_mel(NOISE, YAMNET_LOG_OFFSET), np.log(magnitude @ matrix + 0.001), atol=1e-6)
