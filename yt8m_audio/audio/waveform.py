"""Sound files of any format as mono float32 at one sample rate, whole or block by block.

    waveform = read_sound("dog.mp3")                        # float32 [samples], 16 kHz, in about [-1, 1]
    for block in sound_blocks("two_hours.m4a"): ...         # the same, 30 s at a time, in constant memory
    sound_info("dog.mp3").seconds
    read_sound("-")                                         # a WAV on standard input, as it comes

soundfile (libsndfile) decodes WAV, FLAC, Ogg and MP3, ffmpeg everything else; what a file is, its content says and not
its name. Channels are averaged, soxr resamples. A part is cut first, at the samples of the file nearest to `start` and
`end`, and then resampled: nothing that is outside of it is heard in it, and a file of that rate is not changed.

What cannot be read raises a SoundError with its SoundFault. A file of which the beginning can be decoded, as it was
cut or damaged, gives what is there, and says so: in SoundInfo.warnings where its header tells, and by `warn` when it
has been read. Someone with ten thousand recordings wants both the sound that is there and the list of those files.
"""

import contextlib
import dataclasses
import os
import sys
import warnings as python_warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from yt8m_audio.audio import ffmpeg, sound_files
from yt8m_audio.audio.oddities import Oddities, odd_about
from yt8m_audio.audio.open_sound import OpenSound, in_blocks, taken
from yt8m_audio.audio.resampling import mixed, resampled
from yt8m_audio.audio.sound_errors import SoundError, SoundFault, SoundWarning
from yt8m_audio.audio.wav_stream import open_stream
from yt8m_audio.errors import nearest, reason
from yt8m_audio.paths import is_remote

__all__ = [
    "Oddities",
    "SoundError",
    "SoundFault",
    "SoundInfo",
    "SoundWarning",
    "odd_about",
    "read_sound",
    "sound_blocks",
    "sound_info",
]

SAMPLE_RATE = 16_000
STANDARD_INPUT = "-"
DECODERS = ("auto", "soundfile", "ffmpeg", "tfio")


@dataclasses.dataclass(frozen=True)
class SoundInfo:
    """What a file says of its sound, before any of it is decoded.

    Attributes:
        sample_rate: in Hz, of the file.
        channels: how many it has.
        num_samples: of each channel; None where the file does not say.
        seconds: how long it is; None where the file does not say.
        warnings: what shows already, such as that it was cut; a line each.
    """

    sample_rate: int
    channels: int
    num_samples: int | None
    seconds: float | None
    warnings: tuple[str, ...] = ()


def sound_info(path: str | os.PathLike) -> SoundInfo:
    """Reads what a file says of its sound.

    Raises:
        SoundError: if it is none, or standard input, which can be read once.
    """
    path = os.fspath(path)
    if path == STANDARD_INPUT:
        raise SoundError(SoundFault.UNSUPPORTED, "Standard input is read once: nothing can be said of it before.")
    with contextlib.closing(_open(path, "auto")) as sound:
        seconds = ffmpeg.seconds_of(path) if sound.seconds is None else sound.seconds
        return SoundInfo(sound.sample_rate, sound.channels, sound.num_samples, seconds, tuple(sound.warnings))


def read_sound(
    path: str | os.PathLike,
    sample_rate: int = SAMPLE_RATE,
    start: float = 0.0,
    end: float | None = None,
    decoder: str = "auto",
    warn: Callable[[str], None] | None = None,
) -> np.ndarray:
    """Reads a sound, or a part of it; see sound_blocks for the arguments and errors.

    Returns:
        float32 [samples], mono, in about [-1, 1]: a resampled peak may be a little above.
    """
    return np.concatenate([*sound_blocks(path, sample_rate, start, end, decoder=decoder, warn=warn)])


def sound_blocks(
    path: str | os.PathLike,
    sample_rate: int = SAMPLE_RATE,
    start: float = 0.0,
    end: float | None = None,
    block_seconds: float = 30.0,
    decoder: str = "auto",
    warn: Callable[[str], None] | None = None,
) -> Iterator[np.ndarray]:
    """Reads a sound block by block: one behind the other they are, bit for bit, what read_sound gives.

    Args:
        path: a file, or "-" for a WAV on standard input.
        sample_rate: that the sound is to have, in Hz.
        start: where the part that is wanted begins, in seconds.
        end: where it ends; the file's end where None, and where the file ends before.
        block_seconds: length of a block; the last one is as long as it is.
        decoder: auto, soundfile, ffmpeg, or tfio (see yt8m_audio.audio.tfio_decoding, which holds the file in memory).
        warn: called with a line that names the file where only a part of the sound could be decoded; a Python
            SoundWarning is given where None.

    Yields:
        float32 [n], mono; at least one sample in all.

    Raises:
        SoundError: if nothing can be read, or a sample is not finite; its `reason` says why.
    """
    path = os.fspath(path)
    _check(path, start, end, decoder)
    size = max(1, round(block_seconds * sample_rate))
    if decoder == "tfio":
        pieces = _filled(_read_tfio(path, sample_rate, start, end), path, start)
        yield from in_blocks(_finite(pieces, path), size)
        return
    with contextlib.closing(_open(path, decoder)) as sound:
        first = round(start * sound.sample_rate)
        count = None if end is None else max(1, round(end * sound.sample_rate) - first)
        part = _told(
            taken(sound.blocks(first), count), count, sound, lambda line: (warn or _warn)(f"{_name(path)}: {line}")
        )
        pieces = mixed(_finite(_filled(part, path, start, sound), path))
        yield from in_blocks(resampled(pieces, sound.sample_rate, sample_rate), size)


def _check(path: str, start: float, end: float | None, decoder: str) -> None:
    """Raises a SoundError of arguments that are wrong for any file."""
    if decoder not in DECODERS:
        raise SoundError(
            SoundFault.UNSUPPORTED, f"--decoder={decoder} is none of {', '.join(DECODERS)}.{nearest(decoder, DECODERS)}"
        )
    if not 0 <= start < np.inf or (end is not None and not start < end < np.inf):
        asked = f"from {start:g} s" + ("" if end is None else f" to {end:g} s")
        raise SoundError(
            SoundFault.BAD_RANGE, f"{_name(path)} {asked}: a part begins at 0 or later and ends behind it."
        )


def _open(path: str, decoder: str) -> OpenSound:
    """Opens a sound with a decoder, or with the first one that takes it."""
    if path == STANDARD_INPUT:
        if decoder == "ffmpeg":
            raise _reads_files(decoder)
        return open_stream(sys.stdin.buffer, _name(path))
    _check_file(path)
    if decoder == "ffmpeg":
        return ffmpeg.open_process(path)
    try:
        return sound_files.open_file(path)
    except SoundError as error:
        if decoder == "soundfile" or error.reason is not SoundFault.UNSUPPORTED:
            raise
    return ffmpeg.open_process(path)


def _read_tfio(path: str, sample_rate: int, start: float, end: float | None) -> Iterator[np.ndarray]:
    """Gives what tensorflow-io decodes, in one block."""
    from yt8m_audio.audio.tfio_decoding import read  # brings TensorFlow

    if path == STANDARD_INPUT:
        raise _reads_files("tfio")
    if not is_remote(path):
        _check_file(path)
    yield read(path, sample_rate, start, end)


def _reads_files(decoder: str) -> SoundError:
    return SoundError(SoundFault.UNSUPPORTED, f"--decoder={decoder} reads files: standard input is read as WAV.")


def _check_file(path: str) -> None:
    """Raises a SoundError of what is no file that can be read, or has nothing in it."""
    try:
        with open(path, "rb") as file:
            begin = file.read(1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SoundError(SoundFault.MISSING, f"{path} is not there.") from error
    except OSError as error:
        raise SoundError(SoundFault.UNREADABLE, f"{path} cannot be read: {reason(error)}.") from error
    if not begin:
        raise SoundError(SoundFault.EMPTY, f"{path} is empty: it has no byte.")


def _told(
    blocks: Iterable[np.ndarray], count: int | None, sound: OpenSound, tell: Callable[[str], None]
) -> Iterator[np.ndarray]:
    """Passes blocks on, then tells what is odd about the file, unless all `count` samples that were wanted came."""
    done = 0
    for block in blocks:
        done += len(block)
        yield block
    if done and done != count:
        for line in sound.warnings:
            tell(line)


def _filled(
    blocks: Iterable[np.ndarray], path: str, start: float, sound: OpenSound | None = None
) -> Iterator[np.ndarray]:
    """Passes blocks on; raises a SoundError if there is no sample in them."""
    done = 0
    for block in blocks:
        done += len(block)
        yield block
    if done:
        return
    if start > 0 and (sound is None or sound.num_samples != 0):
        length = "" if sound is None or sound.seconds is None else f": it is {sound.seconds:.2f} s long"
        raise SoundError(SoundFault.TOO_SHORT, f"{_name(path)} has nothing behind {start:g} s{length}.")
    raise SoundError(SoundFault.NO_SAMPLES, f"{_name(path)} has a header and no sound behind it.")


def _finite(blocks: Iterable[np.ndarray], path: str) -> Iterator[np.ndarray]:
    """Passes blocks on; raises a SoundError at the first sample that is NaN or infinite."""
    for block in blocks:
        if not np.isfinite(block).all():
            raise SoundError(SoundFault.NOT_FINITE, f"{_name(path)} has samples that are NaN or infinite.")
        yield block


def _name(path: str) -> str:
    return "Standard input" if path == STANDARD_INPUT else path


def _warn(line: str) -> None:
    python_warnings.warn(line, SoundWarning, stacklevel=3)
