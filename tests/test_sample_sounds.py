"""Sounds of the sample as files: what they hold, and that they are the sample's."""

import csv

import numpy as np
import pytest

from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.audio.waveform import read_sound
from yt8m_audio.errors import UserError
from yt8m_audio.sample.clips import make_clip, make_recording
from yt8m_audio.sample.sounds import classes_asked, write_sounds
from yt8m_audio.sample.synthesis import SOUNDS


def test_sounds_and_their_labels(tmp_path):
    written = [*write_sounds(tmp_path / "new" / "sounds", 4, seed=3, classes=["Siren", "Bell"])]
    with open(tmp_path / "new" / "sounds" / "labels.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [(row["file"], row["labels"].split(";")) for row in rows] == [
        (each.file.name, each.classes) for each in written
    ]
    assert {name for each in written for name in each.classes} <= {"Siren", "Bell"}
    assert len({each.file.read_bytes() for each in written}) == 4
    for each in written:
        assert 0.01 < np.abs(read_sound(each.file)).max() <= 1


def test_the_same_seed_gives_the_same_files(tmp_path):
    for _ in range(2):  # over what is there
        first = [each.file.read_bytes() for each in write_sounds(tmp_path / "a", 2)]
    assert first == [each.file.read_bytes() for each in write_sounds(tmp_path / "b", 2)]
    assert first != [each.file.read_bytes() for each in write_sounds(tmp_path / "c", 2, seed=1)]


def test_a_clip_is_the_features_of_its_recording():
    recording, clip = make_recording(8, "test", 5, list(SOUNDS)), make_clip(8, "test", 5)
    assert (recording.video_id, recording.classes) == (clip.video_id, clip.classes)
    np.testing.assert_array_equal(LogMelStatistics().embed(recording.waveform), clip.frames)


def test_classes_are_asked_for_by_name():
    assert classes_asked('siren, "Heart sounds, heartbeat"') == ["Siren", "Heart sounds, heartbeat"]
    assert classes_asked("") == list(SOUNDS)
    with pytest.raises(UserError, match="Did you mean Siren"):
        classes_asked("Sirn")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--sounds=.*file cannot be written"):
        [*write_sounds(tmp_path / "file", 1)]
