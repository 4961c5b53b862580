"""python -m yt8m_audio sample: makes the built-in sample if it is not there, and prints where it lies."""

import dataclasses

from yt8m_audio.flags import parse
from yt8m_audio.sample import sample_patterns


@dataclasses.dataclass(frozen=True)
class SampleFlags:
    """The sample takes no flags. YT8M_AUDIO_CACHE names the folder that it is kept in."""


def main(argv) -> int:
    """Prints the globs of the two splits."""
    parse(argv, "Makes the built-in sample if it is not there, and prints where it lies.", SampleFlags)
    patterns = sample_patterns(print)
    print(f"train  {patterns.train}\ntest   {patterns.test}")
    return 0
