"""WAV that comes as a stream and is never sought in: from standard input, or from ffmpeg.

    header = read_header(sys.stdin.buffer, "standard input")
    for samples in read_samples(sys.stdin.buffer, header): ...   # float32 [n, channels]

Programs that do not know how long a recording will be write a length of 0, 0x7FFF.... or 0xFFFFFFFF: to the end, then.
Format: Microsoft's RIFF WAVE with `fmt ` of PCM, float, mu-law (G.711), A-law and WAVE_FORMAT_EXTENSIBLE.
"""

import dataclasses
import functools
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from yt8m_audio.audio.open_sound import READ_SAMPLES, OpenSound, dropped
from yt8m_audio.audio.sound_errors import SoundError, SoundFault

CHUNK = struct.Struct("<4sI")
FORMAT = struct.Struct("<HHIIHH")  # tag, channels, samples a second, bytes a second, bytes a sample of all, bits
PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
SUBFORMAT = slice(24, 26)  # of an extensible format: where its tag stands
ENDLESS = 0x7FFF_0000  # lengths from here on say that it was not known
MOST_FORMAT_BYTES = 1 << 16


@dataclasses.dataclass(frozen=True)
class WavHeader:
    """What stands before the samples.

    Attributes:
        sample_rate: in Hz.
        channels: how many.
        tag: the encoding: 1 PCM, 3 float, 6 A-law, 7 mu-law.
        bits: of one sample.
        data_bytes: of all samples; None where it was not known.
    """

    sample_rate: int
    channels: int
    tag: int
    bits: int
    data_bytes: int | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.bits // 8

    @property
    def num_samples(self) -> int | None:
        """Samples of each channel; None where it was not known."""
        return None if self.data_bytes is None else self.data_bytes // self.frame_bytes


def open_stream(file: BinaryIO, name: str) -> OpenSound:
    """Opens a stream; the file is left open.

    Raises:
        SoundError: if it is no WAV of a known encoding.
    """
    header = read_header(file, name)
    warnings: list[str] = []

    def blocks(first: int) -> Iterator[np.ndarray]:
        return dropped(read_samples(file, header, warnings), first)

    return OpenSound(header.sample_rate, header.channels, blocks, lambda: None, header.num_samples, warnings=warnings)


def read_header(file: BinaryIO, name: str) -> WavHeader:
    """Reads up to where the samples begin.

    Raises:
        SoundError: if it is no WAV, ends before, or has an encoding that is not known.
    """
    head = file.read(12)
    if not head:
        raise SoundError(SoundFault.EMPTY, f"{name} is empty: a WAV was expected.")
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        raise SoundError(SoundFault.NOT_SOUND, f"{name} is no WAV: it begins with {head!r}.")
    form = b""
    while True:
        chunk = file.read(CHUNK.size)
        if len(chunk) < CHUNK.size:
            raise SoundError(SoundFault.BROKEN, f"{name} ends before the samples begin: it has no data chunk.")
        kind, size = CHUNK.unpack(chunk)
        if kind == b"data":
            return _header(form, None if size == 0 or size >= ENDLESS else size, name)
        if kind == b"fmt " and size <= MOST_FORMAT_BYTES:
            form = file.read(size + size % 2)
        else:
            _skip(file, size + size % 2)


def _header(form: bytes, data_bytes: int | None, name: str) -> WavHeader:
    """Makes sense of the `fmt ` chunk."""
    if len(form) < FORMAT.size:
        raise SoundError(SoundFault.BROKEN, f"{name} does not say how its samples are encoded: no whole fmt chunk.")
    tag, channels, sample_rate, _, _, bits = FORMAT.unpack_from(form)
    if tag == EXTENSIBLE and len(form) >= SUBFORMAT.stop:
        tag = int.from_bytes(form[SUBFORMAT], "little")
    if (tag, bits) not in DECODERS:
        raise SoundError(
            SoundFault.UNSUPPORTED, f"{name} is WAV of encoding {tag} with {bits} bits: PCM, float, or G.711 is read."
        )
    if not channels or not sample_rate:
        raise SoundError(
            SoundFault.BROKEN, f"{name} says {channels} channels at {sample_rate} Hz: its header is damaged."
        )
    return WavHeader(sample_rate, channels, tag, bits, data_bytes)


def _skip(file: BinaryIO, count: int) -> None:
    """Reads over some bytes."""
    while count and (read := len(file.read(min(count, 1 << 16)))):
        count -= read


def read_samples(file: BinaryIO, header: WavHeader, warnings: list[str] | None = None) -> Iterator[np.ndarray]:
    """Decodes what is behind a header, as float32 [n, channels]; says in `warnings` where less comes than it says."""
    decode, left = DECODERS[header.tag, header.bits], header.data_bytes
    while left is None or left >= header.frame_bytes:
        wanted = READ_SAMPLES * header.frame_bytes
        content = file.read(wanted if left is None else min(wanted, left))
        whole = len(content) // header.frame_bytes * header.frame_bytes
        if whole:
            yield decode(np.frombuffer(content[:whole], np.uint8)).reshape(-1, header.channels)
        if left is not None:
            left -= len(content)
        if len(content) < wanted:
            break
    if left is not None and left >= header.frame_bytes and warnings is not None:
        missing = left / header.frame_bytes / header.sample_rate
        warnings.append(f"it is cut: {missing:.2f} s of what its header says are not there")


# Encodings: uint8 [bytes] -> float32 [samples], with the scales of libsndfile


def _integers(kind: str, scale: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda content: content.view(kind).astype(np.float32) * np.float32(1 / scale)


def _floats(kind: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda content: content.view(kind).astype(np.float32)


def _unsigned(content: np.ndarray) -> np.ndarray:
    return (content.astype(np.float32) - 128) * np.float32(1 / 128)


def _three_bytes(content: np.ndarray) -> np.ndarray:
    padded = np.zeros((len(content) // 3, 4), np.uint8)
    padded[:, 1:] = content.reshape(-1, 3)  # the upper three of four
    return _integers("<i4", 1 << 31)(padded.ravel())


@functools.cache
def _mu_law() -> np.ndarray:
    """G.711's mu-law, float32 [256]."""
    code = 255 - np.arange(256)
    magnitude = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return (np.where(code & 128, -magnitude, magnitude) / 32768).astype(np.float32)


@functools.cache
def _a_law() -> np.ndarray:
    """G.711's A-law, float32 [256]."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, (code & 15) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, mantissa + 264 << np.maximum(exponent - 1, 0))
    return (np.where(code & 128, magnitude, -magnitude) / 32768).astype(np.float32)


DECODERS: dict[tuple[int, int], Callable[[np.ndarray], np.ndarray]] = {
    (PCM, 8): _unsigned,
    (PCM, 16): _integers("<i2", 1 << 15),
    (PCM, 24): _three_bytes,
    (PCM, 32): _integers("<i4", 1 << 31),
    (FLOAT, 32): _floats("<f4"),
    (FLOAT, 64): _floats("<f8"),
    (MU_LAW, 8): lambda content: _mu_law()[content],
    (A_LAW, 8): lambda content: _a_law()[content],
}
