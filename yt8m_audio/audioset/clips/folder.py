"""A folder of clips: its manifest, or one for each shard until they are merged, and the settings that its files have.

manifest.sqlite               of a run without shards, and of a merge
manifest-003-of-016.sqlite    of shard 3/16, which one machine writes
"""

import dataclasses
import os
import re
from pathlib import Path

from yt8m_audio.audioset.clips.layouts import LAYOUTS
from yt8m_audio.audioset.clips.manifest import Manifest
from yt8m_audio.audioset.clips.media import SoundFormat
from yt8m_audio.errors import UserError, reason

WHOLE = "manifest.sqlite"
SHARDS = "manifest-*-of-*.sqlite"


@dataclasses.dataclass(frozen=True)
class FolderSettings:
    """What all clips of a folder have in common.

    Attributes:
        layout: where files lie.
        sound: how they are written.
        video: whether there are pictures too.
    """

    layout: str = "audiosetdl"
    sound: SoundFormat = dataclasses.field(default_factory=SoundFormat)
    video: bool = False

    def flags(self) -> dict[str, object]:
        """By the names of the flags."""
        sound = dataclasses.asdict(self.sound)
        return {"layout": self.layout, "format": sound.pop("suffix"), **sound, "video": self.video}

    @classmethod
    def of(cls, manifest: Manifest) -> "FolderSettings":
        """Those that a manifest keeps.

        Raises:
            UserError: if it keeps none.
        """
        kept = manifest.note("settings")
        if not kept:
            raise UserError(f"{manifest.path} does not say how its clips are written: it was never run.")
        try:
            sound = {name: int(kept[name]) for name in ("sample_rate", "channels", "bit_depth")}
            settings = cls(str(kept["layout"]), SoundFormat(str(kept["format"]), **sound), bool(kept["video"]))
            settings.check()  # a format is part of names
        except (KeyError, TypeError, ValueError, UserError) as error:
            raise manifest.foreign("settings that there are not") from error
        return settings

    def check(self) -> None:
        """Raises a UserError about what there is not."""
        if self.layout not in LAYOUTS:
            raise UserError(f"--layout={self.layout} is none of {', '.join(LAYOUTS)}.")
        self.sound.check()


def parse_shard(text: str) -> tuple[int, int]:
    """Shard i of n from "i/n"; 0 of 1 from "".

    Raises:
        UserError: if it is none.
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text or "0/1")
    shard = (int(found[1]), int(found[2])) if found else (1, 0)
    if not shard[0] < shard[1] <= 10_000:
        raise UserError(f"--shard={text} must be i/n with i from 0 to n - 1, such as 0/16.")
    return shard


def make_folder(out: Path) -> None:
    """Makes the folder of the clips, where it is not there.

    Raises:
        UserError: if it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be made a folder for clips: {reason(error)}.") from error


def manifest_path(out: Path, shard: tuple[int, int] = (0, 1)) -> Path:
    """Where the manifest of a shard lies."""
    index, shares = shard
    return out / (WHOLE if shares == 1 else f"manifest-{index:03d}-of-{shares:03d}.sqlite")


def manifest_paths(out: Path) -> list[Path]:
    """The manifests that tell of all of a folder: the merged one, or those of the shards.

    Raises:
        UserError: if there are none.
    """
    if (out / WHOLE).is_file():
        return [out / WHOLE]
    found = sorted(out.glob(SHARDS))
    if not found:
        raise UserError(f"{out} holds no manifest of clips: python -m yt8m_audio clips CSV {out} makes it.")
    return found


def merged_shards(out: Path) -> list[Path]:
    """The shards' manifests where a merged one tells of them: they still are what their runs go by."""
    return sorted(out.glob(SHARDS)) if (out / WHOLE).is_file() else []


def newer_shards(out: Path) -> list[Path]:
    """The shards' manifests that were written to after the merge."""
    whole = out / WHOLE
    return [path for path in merged_shards(out) if _written(path) > _written(whole)]


def keep_settings(manifest: Manifest, settings: FolderSettings) -> None:
    """Keeps the settings of a new manifest.

    Raises:
        UserError: if it has others.
    """
    check_settings(manifest, settings)
    manifest.keep("settings", settings.flags())


def check_settings(manifest: Manifest, settings: FolderSettings) -> None:
    """Raises a UserError if a manifest has other settings; a new one has none."""
    if manifest.note("settings") is None:
        return
    there = FolderSettings.of(manifest).flags()
    for name, value in settings.flags().items():
        if there[name] != value:
            raise UserError(
                f"{manifest.path.parent} holds clips with --{name}={there[name]}, --{name}={value} was asked for: give "
                "that, or another folder."
            )


def merge_into(out: Path, paths: list[Path]) -> int:
    """Merges manifests into a folder's own, and returns how many rows came or got further.

    Raises:
        UserError: if they are not of one kind.
    """
    whole, changed = out / WHOLE, 0
    made = whole if whole.exists() else out / f".partial-{WHOLE}"  # until all is in it, the shards' own are what counts
    if made != whole:
        for each in out.glob(f"{made.name}*"):
            each.unlink()
    with Manifest.create(made) as manifest:
        for path in paths:
            with Manifest.open(path) as other:
                settings = FolderSettings.of(other) if other.note("settings") else None
                if settings:
                    check_settings(manifest, settings)
                changed += manifest.merge(other)
                if settings:
                    keep_settings(manifest, settings)
        manifest.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.replace(made, whole)
    return changed


def _written(path: Path) -> float:
    """When a manifest was last written to, its log included."""
    logs = [path, path.with_name(f"{path.name}-wal")]
    return max(each.stat().st_mtime for each in logs if each.exists() and (each == path or each.stat().st_size))
