"""Where the highest values of each row are: what stands between the model's scores and a file of top-k labels.

    best_places(values, 20)     # int32 [n, 20], best first, of equal values the first column first

Sorting whole rows would take longer than the model. A bound that at least top_k values of a row reach comes of the
maxima of groups of its columns, and what reaches it (of 527 columns and 20 places 24 on average) is sorted as numbers
of 64 bits that hold value and column: that puts ties in order too, however many there are.
"""

import numpy as np

GROUPS = 3  # groups of columns for each place, at least: with fewer the bound lies lower, and more is sorted
LOW = 32  # bits of a key that hold the column
COLUMN = np.uint64((1 << LOW) - 1)
NOTHING = np.uint64((1 << 64) - 1)  # sorts last


def best_places(values: np.ndarray, top_k: int) -> np.ndarray:
    """The columns of the highest values of each row, best first, equal ones in their order; int32 [n, top_k].

    Args:
        values: float32 [n, C], none of them nan.
        top_k: 1 to C.
    """
    num_rows, num_columns = values.shape
    found = np.flatnonzero(values >= bounds(values, top_k))  # [m]
    rows, columns = np.divmod(found, num_columns)
    begins = np.searchsorted(found, np.arange(num_rows) * num_columns)  # [n]
    counts = np.diff(begins, append=len(found))
    keys = np.full((num_rows, counts.max(initial=top_k)), NOTHING)
    places = np.arange(len(found)) - np.repeat(begins, counts)  # [m], within the row
    keys[rows, places] = (falling(values.ravel()[found]) << np.uint64(LOW)) | columns.astype(np.uint64)
    keys.sort(axis=1)
    return (keys[:, :top_k] & COLUMN).astype(np.int32)


def bounds(values: np.ndarray, top_k: int) -> np.ndarray:
    """A value that at least top_k values of each row reach, and few others where values differ; [n, 1].

    Halves of the columns are laid on each other, so that each column that is left holds the maximum of a group; what
    is left over may be left out.
    """
    while (half := values.shape[1] // 2) >= GROUPS * top_k:
        values = np.maximum(values[:, :half], values[:, half : 2 * half])
    return np.partition(values, -top_k, axis=1)[:, -top_k, None]


def falling(values: np.ndarray) -> np.ndarray:
    """Numbers of 32 bits that fall as values, float32 [m], rise; uint64 [m]."""
    bits = (values + np.float32(0)).view(np.int32)  # there is no -0 after that
    return np.where(bits < 0, bits, bits ^ 0x7FFFFFFF).view(np.uint32).astype(np.uint64)
