"""By hand, on recordings of your own or of a distribution: that every file is read or reported, embedded and tagged.

REAL_SOUNDS=/usr/share/sounds python -m pytest tests/test_real_sounds.py -s
"""

import os
from pathlib import Path

import numpy as np
import pytest

from yt8m_audio.audio.embedding_source import embedded
from yt8m_audio.audio.log_mel_statistics import LogMelStatistics
from yt8m_audio.audio.waveform import SoundError, odd_about, read_sound, sound_blocks
from yt8m_audio.prediction.tagging import Tagger
from yt8m_audio.prediction.windows import Windows

FOLDERS = [Path(each) for each in os.environ.get("REAL_SOUNDS", "").split(os.pathsep) if each]
ENDS = {".wav", ".ogg", ".oga", ".opus", ".flac", ".mp3", ".m4a", ".aac", ".webm", ".mp4", ".aiff", ".au"}
SHORTEST = 400  # samples of a frame

pytestmark = pytest.mark.skipif(not FOLDERS, reason="REAL_SOUNDS names no folder of recordings")


@pytest.fixture(scope="module")
def files():
    found = [path for folder in FOLDERS for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDS]
    assert found, f"no sound in {FOLDERS}"
    return [path for path in found if path.is_file()]


def test_every_file_is_read_or_reported(files):
    read, failed = 0, []
    for path in files:
        try:
            waveform = read_sound(path)
        except SoundError as error:
            failed.append(f"{error.reason}: {error}")
            continue
        read += 1
        assert waveform.dtype == np.float32
        assert np.abs(waveform).max() < 1.5, path
        for line in odd_about(waveform):
            print(f"{path}: {line}")
    print(*failed, f"{read:,} of {len(files):,} files were read.", sep="\n")
    assert read > 0


def test_blocks_give_what_the_whole_gives(files):
    source = LogMelStatistics()
    for path in files[:: max(1, len(files) // 50)]:
        try:
            waveform = read_sound(path)
        except SoundError:
            continue
        frames = np.concatenate([*embedded(source, sound_blocks(path, block_seconds=0.7))])
        np.testing.assert_array_equal(frames, source.embed(waveform), str(path))
        assert len(frames) or len(waveform) < SHORTEST


def test_every_file_is_tagged(files):
    def loudness(frames, num_frames):
        return frames[..., :64].mean(axis=(1, 2), dtype=np.float32)[:, None] / np.float32(255)

    for path in files[:: max(1, len(files) // 50)]:
        try:
            tagged = Tagger(loudness, 10, Windows(3, 1)).tag(
                str(path), embedded(LogMelStatistics(), sound_blocks(path))
            )
        except SoundError:
            continue
        assert tagged is None or 0 <= tagged.scores[0] <= 1
