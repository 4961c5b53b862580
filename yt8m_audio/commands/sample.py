"""python -m yt8m_audio sample: makes the built-in sample if it is not there, and prints where it lies.

With --sounds=FOLDER it writes sounds of the same kind instead, as WAV files with a CSV of their labels: something to
try `extract` and `tag` on.
"""

import dataclasses
from pathlib import Path

from yt8m_audio.errors import UserError
from yt8m_audio.flags import parse
from yt8m_audio.sample import sample_patterns
from yt8m_audio.sample.sounds import LABELS_CSV, classes_asked, write_sounds

SHOWN = 5  # sounds of which the labels are printed


@dataclasses.dataclass(frozen=True)
class SampleFlags:
    """What is made. YT8M_AUDIO_CACHE names the folder that the sample is kept in.

    Attributes:
        sounds: Folder to write sounds of the sample's kind to, as WAV files, with their labels in labels.csv.
        clips: How many sounds.
        classes: Classes to make them of, with commas between, such as Foghorn,Siren. All 22 when empty.
        seed: Seed of the sounds. The same seed gives the same files.
    """

    sounds: str = ""
    clips: int = 60
    classes: str = ""
    seed: int = 0


def main(argv) -> int:
    """Prints the globs of the two splits, or writes sounds."""
    asked = parse(argv, "Makes the built-in sample if it is not there, and prints where it lies.", SampleFlags)
    if asked.sounds:
        return make_sounds(asked)
    patterns = sample_patterns(print)
    print(f"train  {patterns.train}\ntest   {patterns.test}")
    return 0


def make_sounds(asked: SampleFlags) -> int:
    """Writes sounds, and prints what is heard in the first ones."""
    if asked.clips < 1:
        raise UserError(f"--clips={asked.clips} must be at least 1.")
    folder, classes = Path(asked.sounds), classes_asked(asked.classes)
    for number, sound in enumerate(write_sounds(folder, asked.clips, asked.seed, classes)):
        if number < SHOWN:
            print(f"{sound.file}  {'; '.join(sound.classes)}")
    number = f"{asked.clips:,} {'sound' if asked.clips == 1 else 'sounds'}"
    print(f"Wrote {number}, and their labels in {folder / LABELS_CSV}.")
    return 0
