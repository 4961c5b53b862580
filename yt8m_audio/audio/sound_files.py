"""WAV, FLAC, Ogg, MP3 and what else libsndfile decodes."""

import os
from collections.abc import Iterator

import numpy as np

from yt8m_audio.audio.cut_files import is_cut
from yt8m_audio.audio.open_sound import READ_SAMPLES, OpenSound, dropped
from yt8m_audio.audio.sound_errors import SoundError, SoundFault, of_the_audio_extra

SOUGHT_INEXACTLY = {"MP3", "OGG"}  # a frame needs those before it: decoded from the beginning, a sample is that sample
UNKNOWN_FRAMES = 1 << 62  # libsndfile's, of a FLAC that went through a pipe
MISSING_SECONDS = 0.1  # of which nothing is said: an MP3's own count of samples may be some frames off


def open_file(path: str) -> OpenSound:
    """Opens a file, whatever its name ends with.

    Raises:
        SoundError: if soundfile is not installed or does not know the format.
    """
    with of_the_audio_extra("soundfile"):
        import soundfile

    class ReadForward(soundfile.SoundFile):
        """A SoundFile that does not seek behind every read to where it is already: in an MP3, that is audible."""

        def seekable(self) -> bool:
            return False

    with open(path, "rb") as file:
        cut = is_cut(file)
        descriptor = os.dup(file.fileno())
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        sound = ReadForward(descriptor, closefd=False)  # by name it would take x.raw for headerless sound
    except soundfile.LibsndfileError as error:
        os.close(descriptor)
        fault = f"{path} is of no format that soundfile decodes: {_told(error)}"
        raise SoundError(SoundFault.UNSUPPORTED, fault) from error
    warnings = ["it is cut: its end is not there"] if cut else []
    num_samples = sound.frames if sound.frames < UNKNOWN_FRAMES else None

    def blocks(first: int) -> Iterator[np.ndarray]:
        return _read(sound, first, warnings, path)

    def close() -> None:
        sound.close()
        os.close(descriptor)

    return OpenSound(sound.samplerate, sound.channels, blocks, close, num_samples, warnings=warnings)


def _read(sound, first: int, warnings: list[str], path: str) -> Iterator[np.ndarray]:
    """Decodes from a sample on."""
    if sound.format in SOUGHT_INEXACTLY:
        yield from dropped(_decode(sound, 0, warnings, path), first)
    elif first < sound.frames:
        sound.seek(first)
        yield from _decode(sound, first, warnings, path)


def _decode(sound, done: int, warnings: list[str], path: str) -> Iterator[np.ndarray]:
    """Decodes to the end, as far as it goes, and says where it ends before it should."""
    begin = done
    try:
        while len(block := sound.read(READ_SAMPLES, "float32", always_2d=True)):
            done += len(block)
            yield block
    except RuntimeError as error:  # soundfile's
        if done == begin:
            raise SoundError(SoundFault.BROKEN, f"{path} cannot be decoded: {_told(error)}") from error
        warnings.append(f"it is cut or damaged behind {done / sound.samplerate:.2f} s: {_told(error)}")
        return
    if not warnings and UNKNOWN_FRAMES > sound.frames > done + MISSING_SECONDS * sound.samplerate:
        seconds, said = done / sound.samplerate, sound.frames / sound.samplerate
        warnings.append(f"it is cut: {seconds:.2f} s of the {said:.2f} s that its header says are there")


def _told(error: Exception) -> str:
    """What libsndfile says, without the descriptor's number."""
    text = str(getattr(error, "error_string", error)).removeprefix("Error : ").strip()
    return text if text.endswith(".") else f"{text}."
