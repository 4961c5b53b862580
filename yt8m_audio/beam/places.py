"""Where rows belong: clips are numbered through over all inputs, and a file holds those that the job says."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from yt8m_audio.beam.job import Piece, Size


def first_numbers(sizes: Sequence[Size]) -> np.ndarray:
    """Numbers of the first clip of each input, and of all clips: int64 [inputs + 1]."""
    counts = np.zeros(1 + max((each.input for each in sizes), default=-1), np.int64)
    for each in sizes:
        counts[each.input] = each.count
    return np.concatenate([[0], np.cumsum(counts)])


def places_of(
    piece: Piece, firsts: np.ndarray, file_of: Callable[[np.ndarray, int], np.ndarray]
) -> Iterator[tuple[int, int, int, int]]:
    """Cuts a piece where files change.

    Args:
        piece: some rows.
        firsts: int64 [inputs + 1], of `first_numbers`.
        file_of: of the job.

    Yields:
        The file, the clip of the first row that it holds, that row, and the row behind the last.
    """
    clips = firsts[piece.input] + piece.numbers
    if piece.file is not None:
        yield piece.file, int(clips[0]), 0, len(clips)
        return
    files = file_of(clips, int(firsts[-1]))
    lows = np.flatnonzero(np.diff(files, prepend=-1)).tolist()
    for low, high in zip(lows, [*lows[1:], len(files)], strict=True):
        yield int(files[low]), int(clips[low]), low, high
