"""From one sound to the frames of its clips, and to the row of a manifest that says how it went.

    found = frames_of(Sound("rain-1", "sounds/rain-1.flac", (0,)), source, Extraction())
    found.clips[0].frames    # uint8 or float32 [T, D]
    found.row["state"]       # "done"; or "failed", with a reason

Whatever is wrong with a file is said in its row: it stops no batch. Nothing here needs TensorFlow.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from yt8m_audio.audio.embedding_source import EmbeddingSource, embedded
from yt8m_audio.audio.oddities import Oddities
from yt8m_audio.audio.sound_errors import SoundError, SoundFault
from yt8m_audio.audio.waveform import sound_blocks
from yt8m_audio.errors import UserError

DONE, FAILED = "done", "failed"
COLUMNS = ("video_id", "file", "state", "reason", "seconds", "frames", "records", "odd", "detail", "shard")
SHORTER = 0.5  # seconds that a clip's sound may lack of what its row says


@dataclasses.dataclass(frozen=True, slots=True)
class Sound:
    """A sound to embed.

    Attributes:
        video_id: its id in the records.
        path: its file; "" where none was found.
        labels: class indices, rising.
        start: where it begins in what it is a part of, in seconds.
        end: where it ends there, or None where that is not said.
        is_cut: whether `path` is that part already, rather than the whole of which `start` to `end` are taken.
    """

    video_id: str
    path: str
    labels: tuple[int, ...] = ()
    start: float = 0.0
    end: float | None = None
    is_cut: bool = False


@dataclasses.dataclass(frozen=True)
class Extraction:
    """How sounds become clips.

    Attributes:
        split_seconds: length of the clips that a sound is cut into; 0 leaves it whole.
        decoder: of yt8m_audio.audio.waveform.
        feature_name: of the feature list.
    """

    split_seconds: float = 0.0
    decoder: str = "auto"
    feature_name: str = "audio_embedding"


@dataclasses.dataclass(frozen=True)
class ClipFrames:
    """The frames of one clip, uint8 or float32 [T, D], and its place in seconds."""

    video_id: str
    start: float
    end: float
    frames: np.ndarray


@dataclasses.dataclass(frozen=True)
class SoundFrames:
    """What came of a sound.

    Attributes:
        sound: the sound.
        clips: none where it failed.
        row: of the manifest, by the names of COLUMNS.
    """

    sound: Sound
    clips: list[ClipFrames]
    row: dict[str, Any]


def frames_of(sound: Sound, source: EmbeddingSource, settings: Extraction) -> SoundFrames:
    """Embeds a sound, of any length in constant memory; what is wrong with it is in the row."""
    try:
        frames, seconds, odd = _embedded(sound, source, settings)
    except SoundError as error:
        return failed(sound, error.reason.value, str(error))
    except UserError as error:
        return failed(sound, "refused", str(error))
    except Exception as error:  # whatever a decoder or a model raises of a file, the next file is not to blame
        return failed(sound, "error", f"{type(error).__name__}: {error}".split("\n")[0])
    if not len(frames):
        text = f"{sound.path} lasts {seconds:.2f} s: too short for one frame of the embedding."
        return failed(sound, SoundFault.TOO_SHORT.value, text, seconds)
    hop = source.hop_samples / source.sample_rate
    clips = clips_of(sound, frames, seconds, hop, clip_size(source, settings.split_seconds))
    return SoundFrames(sound, clips, row_of(sound, DONE, seconds, len(frames), len(clips), odd))


def _embedded(sound: Sound, source: EmbeddingSource, settings: Extraction) -> tuple[np.ndarray, float, list[str]]:
    """Frames [T, D] of a sound, its seconds, and what is odd about it."""
    if hasattr(source, "frames_of"):  # arrays that were computed before
        frames = source.frames_of(sound.video_id)
        return frames, len(frames) * source.hop_samples / source.sample_rate, []
    if not sound.path:
        raise SoundError(SoundFault.MISSING, f"No file of {sound.video_id} is there.")
    start, end = (0.0, None) if sound.is_cut else (sound.start, sound.end)
    oddities, odd = Oddities(), []
    blocks = sound_blocks(sound.path, source.sample_rate, start, end, decoder=settings.decoder, warn=odd.append)
    frames = np.concatenate(list(embedded(source, watched(blocks, oddities))))  # [T, D]
    odd = [line.removeprefix(f"{sound.path}: ") for line in odd] + oddities.found()
    seconds = oddities.samples / source.sample_rate
    if sound.end is not None and seconds < sound.end - sound.start - SHORTER:
        odd.append(f"short: {seconds:.1f} s of {sound.end - sound.start:.1f} s are there")
    return frames, seconds, odd


def watched(blocks: Iterable[np.ndarray], oddities: Oddities) -> Iterator[np.ndarray]:
    """Gives blocks on, and takes note of what is odd about them."""
    for block in blocks:
        oddities.update(block)
        yield block


def clip_size(source: EmbeddingSource, split_seconds: float) -> int:
    """Frames of the clips that a sound is cut into; 0 where it is not."""
    return max(1, round(split_seconds * source.sample_rate / source.hop_samples)) if split_seconds else 0


def clips_of(sound: Sound, frames: np.ndarray, seconds: float, hop: float, size: int) -> list[ClipFrames]:
    """Cuts a sound's frames [T, D] into clips of `size`, the last one as long as it is; into one where that is 0.

    A clip that is a part is named after where it begins in milliseconds, ID_30000, as AudioSet's segments are.
    """
    end = sound.start + seconds
    if sound.end is not None and abs(sound.end - end) < SHORTER:
        end = sound.end
    if not size:
        return [ClipFrames(sound.video_id, sound.start, end, frames)]
    clips = []
    for first in range(0, len(frames), size):
        start = sound.start + first * hop
        last = end if first + size >= len(frames) else start + size * hop
        clips.append(ClipFrames(f"{sound.video_id}_{round(1000 * start)}", start, last, frames[first : first + size]))
    return clips


def failed(sound: Sound, reason: str, detail: str, seconds: float = 0.0) -> SoundFrames:
    """What came of a sound that could not be embedded."""
    return SoundFrames(sound, [], row_of(sound, FAILED, seconds, 0, 0, [], reason, detail))


def row_of(sound: Sound, state: str, seconds: float, frames: int, records: int, odd, reason="", detail="") -> dict:
    """The manifest's row of a sound, but for its shard."""
    return {
        "video_id": sound.video_id,
        "file": sound.path,
        "state": state,
        "reason": reason,
        "seconds": round(seconds, 3),
        "frames": frames,
        "records": records,
        "odd": "; ".join(odd),
        "detail": " ".join(detail.split()),
    }
