"""Holding every clip that a manifest has against its file: is it there, is it the same, is it as long."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from yt8m_audio.audioset.clips.folder import FolderSettings
from yt8m_audio.audioset.clips.layouts import clip_file
from yt8m_audio.audioset.clips.manifest import DONE, SHORT, WAITING, Clip, Manifest
from yt8m_audio.audioset.clips.media import Cutter
from yt8m_audio.audioset.clips.reasons import ClipError, Reason
from yt8m_audio.downloading import sha256_of


@dataclasses.dataclass
class Verified:
    """What was found.

    Attributes:
        clips: how many were held against their files.
        faults: of those that are not as the manifest has them, file and what is wrong.
    """

    clips: int = 0
    faults: list[tuple[Path, str]] = dataclasses.field(default_factory=list)


def verify(
    manifest: Manifest,
    out: Path,
    cutter: Cutter,
    *,
    workers: int = 4,
    hash_only: bool = False,
    show: Callable[[str], None] = lambda text: None,
    tell: Callable[[list[Clip]], None] = lambda clips: None,
) -> Verified:
    """Hashes and measures all clips; those that are not as they should be wait to be fetched again.

    Args:
        manifest: with the rows.
        out: folder of the clips.
        cutter: that counts samples.
        workers: files at a time.
        hash_only: leave the measuring out: bytes that are the same have the same length.
        show: takes how far it is.
        tell: takes rows that wait again, for other manifests that have them too.
    """
    settings, found = FolderSettings.of(manifest), Verified()

    def check(clip: Clip) -> tuple[Path, str]:
        return _fault(clip, out, settings, None if hash_only else cutter)

    with ThreadPoolExecutor(workers) as pool:
        for chunk in manifest.chunks((DONE, SHORT)):
            results = list(zip(chunk, pool.map(check, chunk), strict=True))
            broken = [(clip, *result) for clip, result in results if result[1]]
            again = [_again(clip, what) for clip, _, what in broken]
            manifest.record(again)
            tell(again)
            found.faults += [(file, what) for _, file, what in broken]
            found.clips += len(chunk)
            show(f"{found.clips:,} clips, {len(found.faults):,} are not as they were")
    return found


def _fault(clip: Clip, out: Path, settings: FolderSettings, cutter: Cutter | None) -> tuple[Path, str]:
    """A clip's file, and what is wrong with it or its pictures; "" where nothing is."""
    file = clip_file(out, settings.layout, clip.segment, settings.sound.suffix)
    if what := _differs(file, clip.sha256):
        return file, what
    if clip.video_sha256:
        pictures = clip_file(out, settings.layout, clip.segment, "mp4", "video")
        if what := _differs(pictures, clip.video_sha256):
            return pictures, what
    return file, _mismeasured(file, clip, cutter) if cutter else ""


def _differs(file: Path, sha256: str) -> str:
    try:
        return "" if sha256_of(file) == sha256 else "its content is another"
    except OSError as error:
        return "it is missing" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error.strerror}"


def _mismeasured(file: Path, clip: Clip, cutter: Cutter) -> str:
    try:
        samples = cutter.count(file)
    except ClipError as failure:
        return f"it cannot be decoded: {failure.message}"
    return "" if samples == clip.samples else f"it has {samples} samples in place of {clip.samples}"


def _again(clip: Clip, what: str) -> Clip:
    return clip._replace(state=WAITING, reason=Reason.DAMAGED, message=what, attempts=0, next_try=0.0)
