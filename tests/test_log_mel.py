"""VGGish's front end against values of Google's own code, 64-bit (FACTS, section 7)."""

import numpy as np
import pytest

from yt8m_audio.audio.mel_bands import hann_window, log_mel, mel_matrix

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
