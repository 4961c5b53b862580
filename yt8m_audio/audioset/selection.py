"""Which segments of a list are chosen: by their classes, by their ids, and so many of each class at random.

kept = has_any(segments, [74, 75]) & ~has_any(segments, [137])            # dogs without music
rows = so_many_each(segments, np.flatnonzero(kept), [[74], [75]], 50, seed=0)
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from yt8m_audio.audioset.byte_fields import read_bytes
from yt8m_audio.audioset.segments import Segments


def has_any(segments: Segments, classes: Sequence[int]) -> np.ndarray:
    """Whether each segment has one of some classes at least, bool [n]."""
    found = np.zeros(len(segments), bool)
    found[segments.label_rows[np.isin(segments.label_values, list(classes))]] = True
    return found


def of_ids(video_ids: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Whether each is one of some ids, bool [n].

    Args:
        video_ids: object [n] of bytes.
        ids: object [m] of bytes.
    """
    return pd.Index(video_ids, dtype=object).isin(ids)


def read_id_list(path: str, flag: str) -> np.ndarray:
    """Reads the ids, object [m] of bytes, of a list of segments, or of a text file with one a line.

    Raises:
        UserError: if it cannot be read, or is empty.
    """
    lines = read_bytes(path, f"--{flag}={path} cannot be read").splitlines()
    ids = [line.partition(b",")[0].strip() for line in lines if not line.startswith(b"#")]
    return np.array([*dict.fromkeys(filter(None, ids))], object)


def so_many_each(
    segments: Segments, rows: np.ndarray, groups: Sequence[Sequence[int]], count: int, seed: int
) -> np.ndarray:
    """Chooses segments at random, until each group of classes has so many of them, or all that there are.

    The rarest group comes first, and what was chosen for one counts for the next, so that few have more than asked.

    Args:
        segments: to choose from.
        rows: int64 [m], which of them may be chosen.
        groups: class indices of each group.
        count: how many of each.
        seed: of the order that they are taken in.

    Returns:
        int64 [k], those chosen, rising.
    """
    members = members_of(segments, rows, groups)
    priority = np.random.default_rng(seed).permutation(len(segments))
    chosen = np.zeros(len(segments), bool)
    for each in sorted(members, key=len):
        missing = count - np.count_nonzero(chosen[each])
        others = each[~chosen[each]]
        if missing > 0:
            chosen[others[np.argsort(priority[others])[:missing]]] = True
    return np.flatnonzero(chosen)


def at_random(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """So many of some rows, or all that there are, int64 [k], rising."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])


def members_of(segments: Segments, rows: np.ndarray, groups: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Those of some rows that have one of the classes of each group, int64 [k] each, rising."""
    allowed = np.zeros(len(segments), bool)
    allowed[rows] = True
    order = np.argsort(segments.label_values, kind="stable")
    values, label_rows = segments.label_values[order], segments.label_rows[order]
    found = []
    for classes in groups:
        begins, ends = (np.searchsorted(values, classes, side) for side in ("left", "right"))
        parts = [label_rows[begin:end] for begin, end in zip(begins, ends, strict=True)]
        each = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)
        found.append(each[allowed[each]])
    return found
