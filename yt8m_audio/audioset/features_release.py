"""AudioSet's released features: where they are, what is in them, and the note of what was made of them.

features.tar.gz
    audioset_v1_embeddings/{bal_train,eval,unbal_train}/XX.tfrecord    XX: the first two characters of the video ids
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from yt8m_audio.errors import UserError, nearest
from yt8m_audio.run_directory import write_json

REGIONS = ("us", "eu", "asia")
URL = "https://storage.googleapis.com/{}_audioset/youtube_corpus/v1/features/features.tar.gz"
ARCHIVE, NOTE = "features.tar.gz", "features.json"
TABLES = {
    "bal_train": "balanced_train_segments.csv",
    "eval": "eval_segments.csv",
    "unbal_train": "unbalanced_train_segments.csv",
}


@dataclasses.dataclass(frozen=True)
class Release:
    """What a whole archive holds.

    Attributes:
        folder: that its splits are in.
        shards: how many each split has.
        size: bytes of the archive, and of what is in it, about: bytes of embeddings cannot be packed much.
    """

    folder: str
    shards: Mapping[str, int]
    size: int


RELEASE = Release("audioset_v1_embeddings", {"bal_train": 4_070, "eval": 4_062, "unbal_train": 4_096}, 2_400_000_000)


@dataclasses.dataclass(frozen=True)
class SplitNote:
    """What was made of a split.

    Attributes:
        files: of records.
        repacked: whether they are other files than the release's.
        records: in all of them.
    """

    files: int
    repacked: bool
    records: int


def url_of(region: str) -> str:
    """Address of the archive in one of the regions.

    Raises:
        UserError: if there is no such region.
    """
    if region not in REGIONS:
        raise UserError(f"--region={region} is none of {', '.join(REGIONS)}.{nearest(region, REGIONS)}")
    return URL.format(region)


def splits_of(text: str, release: Release = RELEASE) -> list[str]:
    """The splits that a flag names, with commas between; all when it is empty.

    Raises:
        UserError: if there is no such split.
    """
    splits = [name.strip() for name in text.split(",") if name.strip()] or list(release.shards)
    for name in splits:
        if name not in release.shards:
            raise UserError(f"--splits={text}: {name} is none of {', '.join(release.shards)}.{nearest(name, TABLES)}")
    return list(dict.fromkeys(splits))


def read_note(out: Path) -> dict[str, SplitNote]:
    """What was noted of the splits in a folder; nothing where there is no note."""
    try:
        splits = json.loads((out / NOTE).read_text())["splits"]
        return {name: SplitNote(**each) for name, each in splits.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{out / NOTE} cannot be read as a note of what is in the folder: remove it.") from error


def write_note(out: Path, splits: Mapping[str, SplitNote], url: str) -> None:
    """Notes what is in a folder, whole; splits that were noted before stay."""
    noted = {**read_note(out), **splits}
    write_json(out / NOTE, {"from": url, "splits": {name: dataclasses.asdict(each) for name, each in noted.items()}})
