"""Records of sounds: shards in the order of the sounds, on all cores, gone on with after a kill, and a manifest.

    sounds = [Sound("rain-1", "rain-1.flac", (0,)), ...]
    done = extract(sounds, Opening("log_mel_statistics"), "records", shards=4, workers=2)
    done.counts.clips, done.reasons                        # 998, {"broken": 2}
    records, row = extract_one(sounds[0], source)          # the same of one sound, for a pipeline of one's own

The folder appears when it is whole. Until then its content lies in a hidden folder beside it, and what was killed goes
on behind the last sound that was written: what comes out is what would have come out at once, byte for byte.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yt8m_audio.audio.embedding_source import EmbeddingSource
from yt8m_audio.audio.extraction_folder import ExtractionFolder
from yt8m_audio.audio.in_order import in_order
from yt8m_audio.audio.manifest import MANIFEST, oddities_in, read_manifest, reasons_in
from yt8m_audio.audio.sound_frames import DONE, Extraction, Sound, SoundFrames, clip_size, failed, frames_of
from yt8m_audio.audio.sound_work import Opening, SoundWork
from yt8m_audio.examples import frames_record
from yt8m_audio.feature_source import FeatureSource, write_feature_source
from yt8m_audio.written_records import FrameCounts

AS_IT_IS = Extraction()
LEARNT_THREADS = 2  # with a model of its own: one decodes while another's waits for the processor


@dataclasses.dataclass(frozen=True)
class Extracted:
    """What an extraction came to.

    Attributes:
        folder: where it is.
        shards: how many.
        counts: of the clips that were written.
        labelled: sounds with labels that were written.
        reasons: how many sounds failed, by reason, most often first.
        odd: sounds in which something is odd, by its first word.
        seconds: of sound that was embedded.
        before: sounds that an earlier run had done.
    """

    folder: str
    shards: int
    counts: FrameCounts
    labelled: int
    reasons: dict[str, int]
    odd: dict[str, int]
    seconds: float
    before: int

    @property
    def failed(self) -> int:
        """How many sounds failed."""
        return sum(self.reasons.values())


def extract_one(
    sound: Sound, source: EmbeddingSource, settings: Extraction = AS_IT_IS
) -> tuple[list[bytes], dict[str, Any]]:
    """Makes the records of one sound.

    Returns:
        Serialised SequenceExamples, none where it failed; and its row of the manifest (see COLUMNS of
        yt8m_audio.audio.sound_frames), but for the shard.
    """
    found = frames_of(sound, source, settings)
    return records_of(found, settings.feature_name), found.row


def records_of(found: SoundFrames, feature_name: str) -> list[bytes]:
    """Serialises the clips of a sound, with ids, labels, and times in seconds."""
    return [
        frames_record(
            {"video_id": clip.video_id, "start_time_seconds": float(clip.start), "end_time_seconds": float(clip.end)},
            found.sound.labels,
            {feature_name: clip.frames},
        )
        for clip in found.clips
    ]


def extract(
    sounds: Sequence[Sound],
    opening: Opening,
    out: str,
    settings: Extraction = AS_IT_IS,
    *,
    shards: int = 1,
    workers: int = 1,
    retry_failed: bool = False,
    fill: Callable[[Path], None] = lambda folder: None,
    progress: Callable[[int, float], None] = lambda done, seconds: None,
) -> Extracted:
    """Writes the records of sounds, shards and manifest, to a folder; goes on with one that was begun.

    Args:
        sounds: what to embed. Sound i goes to shard i modulo `shards`: a list may be sorted by class.
        opening: of the embedding.
        out: the folder.
        settings: how sounds become clips.
        shards: how many.
        workers: processes, or threads where the embedding is a model, which uses all cores by itself.
        retry_failed: take those shards again in which a sound had failed, where the folder is whole.
        fill: writes what else is to lie in the folder, such as a label map.
        progress: called with the sounds done in this run, and their seconds.

    Raises:
        UserError: if the folder holds something else, or an extraction of other sounds or with other settings, or the
            disk is full.
    """
    source = opening.opened()
    described = source.described()
    folder = ExtractionFolder(out, facts_of(sounds, described, settings, shards), shards)
    before = folder.begin(retry_failed)
    if not folder.is_whole:
        learnt = bool(described.digest)
        workers = min(workers, LEARNT_THREADS) if learnt else workers
        work = SoundWork(opening, settings, source if learnt or workers == 1 else None)
        _write(sounds, work, folder, workers, learnt, progress)
        with folder.writing():
            write_feature_source(folder.partial, described)
            fill(folder.partial)
            folder.finish()
    return summary(out, sounds, shards, source, settings, before)


def facts_of(sounds: Sequence[Sound], source: FeatureSource, settings: Extraction, shards: int) -> dict[str, Any]:
    """What the bytes of an extraction depend on, as JSON takes it."""
    digest = hashlib.sha256()
    for sound in sounds:
        digest.update(json.dumps(dataclasses.astuple(sound)).encode("utf-8", "surrogateescape"))
    facts = {"sounds": len(sounds), "list": digest.hexdigest(), "shards": shards, **dataclasses.asdict(settings)}
    return {**facts, "embedding": dataclasses.asdict(source)}


def _write(sounds, work: SoundWork, folder: ExtractionFolder, workers: int, threads: bool, progress) -> None:
    """Writes what is left of the shards, one behind the other."""
    left = [(shard, number) for shard in range(folder.shards) for number in folder.left(shard, len(sounds))]
    things = (sounds[number] for _, number in left)
    workers = max(1, min(workers, len(left)))
    shard_before, seconds = None, 0.0
    with contextlib.closing(in_order(things, work, workers, _crashed, threads)) as found:
        for done, ((shard, _), each) in enumerate(zip(left, found, strict=True), 1):
            with folder.writing():
                if shard != shard_before:
                    folder.open(shard)
                    shard_before = shard
                folder.add({**each.row, "shard": shard}, records_of(each, work.settings.feature_name))
            seconds += each.row["seconds"]
            progress(done, seconds)
    with folder.writing():
        folder.close()
        for shard in range(folder.shards):
            folder.finish_shard(shard)


def _crashed(sound: Sound) -> SoundFrames:
    """What is said of a sound that killed the process that read it."""
    return failed(sound, "crashed", f"{sound.path}: the process that read it died, of a fault or for want of memory.")


def summary(
    out: str, sounds: Sequence[Sound], shards: int, source: EmbeddingSource, settings: Extraction, before: int
) -> Extracted:
    """Counts what a whole folder holds."""
    rows, counts = read_manifest(Path(out, MANIFEST)), FrameCounts()
    size, dtype = clip_size(source, settings.split_seconds), str(dtype_of(source))
    done = [number for number, row in enumerate(rows) if row["state"] == DONE]
    for number in done:
        frames = rows[number]["frames"]
        for first in range(0, frames, size or frames):
            counts.count(min(size or frames, frames - first), source.dimension, dtype)
    return Extracted(
        folder=out,
        shards=shards,
        counts=counts,
        labelled=sum(bool(sounds[number].labels) for number in done),
        reasons=reasons_in(rows),
        odd=oddities_in(rows),
        seconds=sum(row["seconds"] for row in rows),
        before=before,
    )


def dtype_of(source: EmbeddingSource) -> np.dtype:
    """The type of what an embedding gives."""
    if hasattr(source, "dtype"):
        return source.dtype
    return source.embed(np.zeros(source.window_samples, np.float32)).dtype
