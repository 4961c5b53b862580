"""Where the features of some records came from, noted beside them, in the run that trains on them, and nowhere else.

    write_feature_source("records", FeatureSource("vggish", sample_rate=16_000, dimension=128, hop_seconds=0.96))
    feature_source_of(["records/00000-of-00004.tfrecord"])      # the same; None where nobody noted it
    check_same(of_the_run, of_the_sound, "--embedding=vggish")  # a UserError where they are two

A model that was trained on one embedding says nothing of another, and both may be 128 bytes a second.
"""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path

from yt8m_audio.errors import UserError

NOTE = "feature_source.json"


@dataclasses.dataclass(frozen=True)
class FeatureSource:
    """What made features of sound.

    Attributes:
        name: the embedding: vggish, log_mel_statistics, the name of a model's file, or arrays.
        sample_rate: of the sound it takes, in Hz.
        dimension: features of a frame.
        hop_seconds: from one frame to the next.
        digest: SHA-256 of the weights or the model; empty where nothing was learnt.
        settings: what else changes the features, such as {"postprocessing": "pca"}; values that JSON has.
    """

    name: str
    sample_rate: int
    dimension: int
    hop_seconds: float
    digest: str = ""
    settings: dict = dataclasses.field(default_factory=dict)

    def differing(self, other: "FeatureSource") -> list[str]:
        """Names of what is not the same in another source."""
        names = [field.name for field in dataclasses.fields(self)]
        return [name for name in names if getattr(self, name) != getattr(other, name)]


def write_feature_source(folder: str | os.PathLike, source: FeatureSource) -> None:
    """Writes the note beside records: whole or not at all."""
    from yt8m_audio.run_directory import write_json  # here: its own imports take a second

    write_json(Path(folder, NOTE), dataclasses.asdict(source))


def read_feature_source(path: str | os.PathLike) -> FeatureSource | None:
    """Reads a note; None where there is none.

    Raises:
        UserError: if the file is there and is no note.
    """
    try:
        return FeatureSource(**json.loads(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} cannot be read as a note of where features came from: {error}.") from error


def feature_source_of(paths: Iterable[str]) -> FeatureSource | None:
    """The source of the records in some local files, whose folders have one note in common; None without any.

    Raises:
        UserError: if two folders differ.
    """
    found: tuple[str, FeatureSource] | None = None
    for folder in sorted({os.path.dirname(path) for path in paths}):
        source = None if "://" in folder else read_feature_source(Path(folder, NOTE))
        if source is None:
            continue
        if found is not None:
            check_same(found[1], source, f"{folder}/{NOTE}", f"{found[0]}/{NOTE}")
        found = folder, source
    return None if found is None else found[1]


def check_same(known: FeatureSource, other: FeatureSource, asked: str, told: str = "the run's features") -> None:
    """Raises a UserError where features of two sources would be taken for one.

    Args:
        known: what is there.
        other: what is asked for.
        asked: who asks for it, such as "--embedding=vggish".
        told: who says what is there.
    """
    differing = known.differing(other)
    if differing:
        pairs = (f"{name} {getattr(other, name)!r}, not {getattr(known, name)!r}" for name in differing)
        use = f"Use {known.name}" if "name" in differing else f"Use {known.name} as it was then, with its own settings"
        raise UserError(
            f"{asked} gives other features than {told} ({'; '.join(pairs)}): scores would mean nothing. "
            f"{use}, or train on features of {other.name}{'' if 'name' in differing else ' as it is now'}."
        )
