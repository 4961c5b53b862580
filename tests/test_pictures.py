"""Pictures of a sound and of what is heard in it: that they have the size, and show what there is."""

import matplotlib.image
import numpy as np
import pytest

from yt8m_audio.audio.mel_bands import log_mel
from yt8m_audio.audio.spectrogram import COLUMNS, Spectrogram
from yt8m_audio.audio.spectrogram_picture import LabelsOverTime, clock, draw_picture


def tone(seconds, hertz=1000.0):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * 16_000)) / 16_000).astype(np.float32)


def spectrogram_of(waveform, pieces=3, sample_rate=16_000):
    spectrogram = Spectrogram(sample_rate)
    for _ in spectrogram.seeing(np.array_split(waveform, pieces)):
        pass
    return spectrogram


def drawn(path, seconds, scores, names=("Siren", "Cost: $5, or $6")):
    scores = np.array(scores, np.float32)
    edges = np.linspace(0, seconds, scores.shape[1] + 1)
    labels = LabelsOverTime(names, scores, edges, scores.mean(axis=1))
    draw_picture(path, "a <title> with $ and _.wav", spectrogram_of(tone(seconds)), labels)
    return matplotlib.image.imread(path)


@pytest.mark.parametrize("seconds", [0.05, 10, 400])
def test_a_picture_has_its_size_and_colours(tmp_path, seconds):
    pixels = drawn(tmp_path / "a.png", seconds, [[0.1, 0.9, 0.4], [0.2, 0.2, 0.2]])
    assert pixels.shape == (800, 1200, 4)
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 100


def test_scores_are_seen(tmp_path):
    none, some = (drawn(tmp_path / f"{score}.png", 5, [[score] * 5, [0.0] * 5]) for score in (0.0, 1.0))
    below = slice(440, 600), slice(400, 900)  # the first label's row
    assert none[below].mean() - some[below].mean() > 0.2


def test_bands_do_not_depend_on_blocks():
    wave = tone(3.3)
    for pieces in (1, 2, 7, 50):
        spectrogram = spectrogram_of(wave, pieces)
        np.testing.assert_allclose(spectrogram.bands(), log_mel(wave), atol=1e-5)
    assert spectrogram.column_seconds == 0.01


def test_long_sounds_are_thinned():
    spectrogram = Spectrogram()
    for _ in spectrogram.seeing(tone(30) for _ in range(4)):
        pass
    assert len(spectrogram.bands()) <= COLUMNS + 1
    assert spectrogram.column_seconds == pytest.approx(0.08)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (9.6, "0:10"), (200, "3:20"), (3800, "1:03:20")])
def test_clock(seconds, text):
    assert clock(seconds) == text
