"""Sound of m4a, webm, videos and whatever else ffmpeg decodes, as it comes from its process.

It decodes from the beginning and writes float samples as WAV to a pipe; what is before a part is read over. Seeking
would be faster, and off: containers tell time in their own steps, webm in milliseconds.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from yt8m_audio.audio.open_sound import OpenSound
from yt8m_audio.audio.sound_errors import SoundError, SoundFault
from yt8m_audio.audio.wav_stream import open_stream

INPUT = ("-nostdin", "-hide_banner", "-protocol_whitelist", "file", "-i")  # a playlist fetches nothing from the web
OUTPUT = ("-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1")
WHO_SAYS = re.compile(r"^(\[[^\]]*\] ?)+")
GENERAL = re.compile(
    r"^(Error (opening|submitting)|To ignore this|Failed to set value|Error parsing|Conversion failed)"
)
NOT_KNOWN = "Invalid data found when processing input"
DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")


def ffmpeg_program() -> str:
    """The system's ffmpeg, else the one that imageio-ffmpeg brings.

    Raises:
        SoundError: if there is neither.
    """
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise SoundError(
            SoundFault.DECODER_MISSING,
            "ffmpeg, which decodes what soundfile does not, is not there: pip install 'yt8m-audio[audio]', or install "
            "ffmpeg.",
        ) from error


def open_process(path: str) -> OpenSound:
    """Has ffmpeg decode the first sound track of a file.

    Raises:
        SoundError: if ffmpeg is not there, or finds no sound.
    """
    program, errors = ffmpeg_program(), tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
    command = [program, "-v", "error", *INPUT, f"file:{path}", *OUTPUT]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
    try:
        stream = open_stream(process.stdout, path)
    except SoundError as error:
        process.wait()
        fault = _fault(path, _read_errors(errors))
        _end(process, errors)
        raise fault from error

    def blocks(first: int) -> Iterator[np.ndarray]:
        yield from stream.blocks(first)
        process.wait()
        stream.warnings.extend(f"ffmpeg says: {said}" for said in _sayings(_read_errors(errors))[:1])

    return OpenSound(
        stream.sample_rate, stream.channels, blocks, lambda: _end(process, errors), warnings=stream.warnings
    )


def seconds_of(path: str) -> float | None:
    """How long a container says it is, to a hundredth of a second; None where it does not."""
    command = [ffmpeg_program(), *INPUT, f"file:{path}"]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).stderr
    found = DURATION.search(said.decode(errors="replace"))
    return int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _end(process: subprocess.Popen, errors: BinaryIO) -> None:
    """Ends a process, whether or not all of its sound was wanted."""
    process.kill()
    process.stdout.close()
    process.wait()
    errors.close()


def _read_errors(errors: BinaryIO) -> str:
    """What ffmpeg has said so far."""
    size = os.fstat(errors.fileno()).st_size
    return os.pread(errors.fileno(), min(size, 1 << 16), 0).decode(errors="replace")


def _sayings(errors: str) -> list[str]:
    """What ffmpeg says that tells something, without who says it."""
    lines = [WHO_SAYS.sub("", line).strip() for line in errors.splitlines()]
    return [line for line in lines if line and not GENERAL.match(line)]


def _fault(path: str, errors: str) -> SoundError:
    """What it means that ffmpeg gave nothing."""
    if "matches no streams" in errors or "does not contain any stream" in errors:
        return SoundError(SoundFault.NO_AUDIO, f"{path} has no sound track.")
    told = [said for said in _sayings(errors) if NOT_KNOWN not in said]
    if told:
        return SoundError(SoundFault.BROKEN, f"{path} cannot be decoded: ffmpeg says: {told[0]}")
    return SoundError(SoundFault.NOT_SOUND, f"{path} is no sound file: neither soundfile nor ffmpeg knows its format.")
