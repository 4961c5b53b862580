"""What `stats --csv=FOLDER` writes: classes.csv, pairs.csv, labels_per_clip.csv, durations.csv, and ids that differ."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.audioset.clip_labels import ClipLabels, Difference
from yt8m_audio.audioset.segment_files import write_ids
from yt8m_audio.commands.stats_source import Counted
from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import written_beside

PAIR_COLUMNS = ("a", "name_a", "b", "name_b", "clips", "share_of_a", "share_of_b", "lift")


def write_files(
    folder: str,
    counted: Counted,
    classes: Sequence[dict],
    pairs: Sequence[dict],
    official: ClipLabels | None,
    differing: Difference | None,
) -> None:
    """Writes the tables, and the ids that are missing or too many, one a line.

    Raises:
        UserError: if one cannot be written.
    """
    clips = counted.clips
    try:
        os.makedirs(folder, exist_ok=True)
        names = list(classes[0])
        _write_csv(Path(folder, "classes.csv"), names, ([row[name] for name in names] for row in classes))
        rows = ([row[name] for name in PAIR_COLUMNS] for row in pairs)
        _write_csv(Path(folder, "pairs.csv"), PAIR_COLUMNS, rows)
        histogram = enumerate(np.bincount(clips.labels_per_clip()).tolist())
        _write_csv(Path(folder, "labels_per_clip.csv"), ("labels", "clips"), histogram)
        if clips.durations_ms is not None:
            found, counts = np.unique(clips.durations_ms, return_counts=True)
            rows = zip((found / 1000).tolist(), counts.tolist(), strict=True)
            _write_csv(Path(folder, "durations.csv"), ("seconds", "count"), rows)
        if official is not None and differing is not None:
            write_ids(Path(folder, "missing_ids.txt"), official.video_ids[differing.missing])
            write_ids(Path(folder, "extra_ids.txt"), clips.video_ids[differing.extra])
            write_ids(Path(folder, "relabelled_ids.txt"), clips.video_ids[differing.relabelled])
    except OSError as error:
        raise UserError(f"--csv={folder} cannot be written: {error.strerror}.") from error


def _write_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence]) -> None:
    with written_beside(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
