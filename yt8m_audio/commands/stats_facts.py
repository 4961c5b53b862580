"""Figures of labelled clips, as rows and facts that can be printed, written and drawn."""

from typing import Any

import numpy as np

from yt8m_audio.audioset.clip_labels import ClipLabels, Difference
from yt8m_audio.commands.stats_source import Counted


def facts_of(counted: Counted, official: ClipLabels | None, differing: Difference | None) -> dict[str, Any]:
    """The figures of all clips together."""
    clips, counts = counted.clips, counted.clips.class_counts()
    per_clip = clips.labels_per_clip()
    num_ids = len(set(clips.video_ids))
    facts = {
        "kind": counted.kind,
        "clips": len(clips),
        "ids": num_ids,
        "labels": int(per_clip.sum()),
        "labels_per_clip": {**spread(per_clip), "none": int((per_clip == 0).sum()), "one": int((per_clip == 1).sum())},
        "num_classes": clips.num_classes,
        "classes_seen": int((counts > 0).sum()),
    }
    if clips.durations_ms is not None and len(clips.durations_ms):
        seconds = clips.durations_ms / 1000
        facts["seconds"] = {**spread(seconds), "sum": float(seconds.sum()), "usual": usual(seconds)}
    if official is not None and differing is not None:
        facts["against"] = {
            "clips": len(official),
            **{name: len(getattr(differing, name)) for name in ("missing", "extra", "relabelled", "moved")},
        }
    return facts


def spread(values: np.ndarray) -> dict[str, float]:
    """Least, median, mean and most of some numbers, 0 of none."""
    if not len(values):
        return dict.fromkeys(("least", "median", "mean", "most"), 0.0)
    figures = values.min(), np.median(values), values.mean(), values.max()
    return dict(zip(("least", "median", "mean", "most"), map(float, figures), strict=True))


def usual(values: np.ndarray) -> dict[str, float]:
    """The most frequent of some numbers, and how many are less and more."""
    found, counts = np.unique(values, return_counts=True)
    value = found[np.argmax(counts)]
    return {"value": float(value), "less": int((values < value).sum()), "more": int((values > value).sum())}


def class_rows(counted: Counted, official: ClipLabels | None, differing: Difference | None) -> list[dict[str, Any]]:
    """What is known of each class, by index; with `official` and `missing` clips where there is a list to compare."""
    counts = counted.clips.class_counts().tolist()
    rows = [
        {
            "index": index,
            "mid": counted.ids[index] if counted.ids else "",
            "display_name": name,
            "clips": counts[index],
            "share": counts[index] / max(1, len(counted.clips)),
        }
        for index, name in enumerate(counted.names)
    ]
    if official is not None and differing is not None:
        lost = np.zeros(len(official), bool)
        lost[differing.missing] = True
        missing = np.bincount(official.values[lost[official.rows]], minlength=official.num_classes).tolist()
        for row, there, gone in zip(rows, official.class_counts().tolist(), missing, strict=True):
            row |= {"official": there, "missing": gone}
    return rows


def pair_rows(counted: Counted) -> list[dict[str, Any]]:
    """Pairs of classes that are heard in one clip, most first.

    `share_of_a` is the share of the clips with class a that have b too; `lift` is how many times as often the two come
    together as they would if they had nothing to do with one another.
    """
    counts, (first, second, both) = counted.clips.class_counts(), counted.clips.pairs
    lifts = both * len(counted.clips) / (counts[first] * counts[second])
    columns = (first, second, both, both / counts[first], both / counts[second], lifts)
    names = ("a", "b", "clips", "share_of_a", "share_of_b", "lift")
    rows = [dict(zip(names, row, strict=True)) for row in zip(*(each.tolist() for each in columns), strict=True)]
    for row in rows:
        row |= {"name_a": counted.names[row["a"]], "name_b": counted.names[row["b"]]}
    return rows
