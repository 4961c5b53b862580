"""What may be wrong with a sound file, each with a name that a manifest can hold."""

import contextlib
import enum
from collections.abc import Iterator

from yt8m_audio.errors import UserError


class SoundFault(enum.StrEnum):
    """Why there is no waveform."""

    MISSING = "missing"  # no such file
    UNREADABLE = "unreadable"  # a folder, or one that the system does not let be read
    EMPTY = "empty"  # no byte in it
    NOT_SOUND = "not_sound"  # of no format that a decoder knows, such as a text
    BROKEN = "broken"  # of a known format, and nothing of it can be decoded
    NO_AUDIO = "no_audio"  # a video or a picture without a sound track
    NO_SAMPLES = "no_samples"  # a whole header, and no sound behind it
    NOT_FINITE = "not_finite"  # floats that are NaN or infinite
    TOO_SHORT = "too_short"  # it ends before the part that was asked for begins
    BAD_RANGE = "bad_range"  # start or end can be of no file
    UNSUPPORTED = "unsupported"  # the decoder that was asked for does not take it
    DECODER_MISSING = "decoder_missing"  # a package or a program that is to be installed


class SoundError(UserError):
    """A sound that cannot be read: one line, and the reason by name.

    Attributes:
        reason: the fault.
    """

    def __init__(self, reason: SoundFault, message: str):
        super().__init__(message)
        self.reason = reason

    def __reduce__(self):
        return type(self), (self.reason, str(self))  # it may come from another process


class SoundWarning(UserWarning):
    """A sound of which only a part could be decoded."""


@contextlib.contextmanager
def of_the_audio_extra(package: str) -> Iterator[None]:
    """Says how to get a package where importing it fails.

    Raises:
        SoundError: if it is not installed.
    """
    try:
        yield
    except (ImportError, OSError) as error:  # the latter from soundfile without its library
        raise SoundError(
            SoundFault.DECODER_MISSING, f"Reading sound needs {package}: pip install 'yt8m-audio[audio]' ({error})."
        ) from error
