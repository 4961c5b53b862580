"""Sounds of the built-in sample as files, to be extracted and tagged as one's own recordings are.

    for sound in write_sounds(Path("sounds"), clips=60, seed=0):    # sounds/sound-000.wav, ... and sounds/labels.csv
        sound.file, sound.classes

They are made as the sample's clips are, and are none of them: another seed and number give another sound.
"""

import csv
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yt8m_audio.audio.mel_bands import SAMPLE_RATE
from yt8m_audio.errors import UserError
from yt8m_audio.labels import LabelFinder
from yt8m_audio.run_directory import written_beside
from yt8m_audio.sample.clips import make_recording
from yt8m_audio.sample.synthesis import SOUNDS

SPLIT = "sounds"
LABELS_CSV, HEADER = "labels.csv", ("file", "labels")
LARGEST = 32_767  # of 16 bits


class SoundFile(NamedTuple):
    """A file that was written, and the display names of what is heard in it."""

    file: Path
    classes: list[str]


def classes_asked(text: str) -> list[str]:
    """Those of the sample's classes that a list names, with commas between; all when it is empty.

    Raises:
        UserError: if one is no class of the sample.
    """
    names = list(SOUNDS)
    return [names[each] for each in LabelFinder(names).listed(text, "--classes")] or names


def write_sounds(
    folder: Path, clips: int, seed: int = 0, classes: Sequence[str] = tuple(SOUNDS)
) -> Iterator[SoundFile]:
    """Writes WAV files (16 kHz, mono, 16 bit) and, when all are there, a CSV of their labels, `file,labels`.

    The same seed gives the same files.

    Args:
        folder: where to; made if need be. Files of these names that are there are replaced.
        clips: how many.
        seed: any whole number from 0.
        classes: display names of classes of the sample; one to three of them are in each sound.

    Raises:
        UserError: if the folder cannot be made or written.
    """
    rows = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(clips):
            recording = make_recording(seed, SPLIT, index, classes)
            path = folder / f"sound-{index:03d}.wav"
            write_wav(path, recording.waveform)
            rows.append((path.name, ";".join(recording.classes)))
            yield SoundFile(path, recording.classes)
        with written_beside(folder / LABELS_CSV) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
    except OSError as error:
        raise UserError(f"--sounds={folder} cannot be written: {error.strerror}.") from error


def write_wav(path: Path, waveform: np.ndarray) -> None:
    """Writes floats [samples] in [-1, 1] at 16 kHz as 16 bits."""
    samples = np.round(np.clip(waveform, -1, 1) * LARGEST).astype("<i2")
    with written_beside(path) as partial, wave.open(str(partial), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())
