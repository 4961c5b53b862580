"""The manifest of an extraction: a CSV with a row a sound, in the order of the sounds.

video_id,file,state,reason,seconds,frames,records,odd,detail,shard
rain-1,sounds/rain-1.flac,done,,10.0,10,1,,,0
rain-2,sounds/rain-2.flac,failed,broken,0.0,0,0,,sounds/rain-2.flac: ...,1
"""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from yt8m_audio.audio.sound_frames import COLUMNS, DONE, FAILED

MANIFEST = "manifest.csv"
NUMBERS = {"seconds": float, "frames": int, "records": int, "shard": int}


def write_manifest(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Writes rows; keys that are no columns are left out."""
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """Reads what was written, numbers as numbers."""
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [{**row, **{name: kind(row[name]) for name, kind in NUMBERS.items()}} for row in csv.DictReader(file)]


def reasons_in(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many sounds failed, by reason, most often first."""
    return dict(Counter(row["reason"] for row in rows if row["state"] == FAILED).most_common())


def oddities_in(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """In how many of the sounds that were embedded something is odd, by its first words, most often first."""
    lines = (line for row in rows if row["state"] == DONE for line in filter(None, row["odd"].split("; ")))
    return dict(Counter(line.partition(":")[0] for line in lines).most_common())
