"""Where the highest values of each row are: what stands between the model's scores and a file of top-k labels.

    places, best = best_places(values, 20)      # [n, 20] each, best first, of equal values the first column first

Sorting whole rows would take longer than the model. A bound that at least top_k values of a row reach comes of the
maxima of groups of its columns, and what reaches it (of 527 columns and 20 places 24 on average) is sorted as numbers
of 64 bits that hold value and column: that puts ties in order too, however many there are. Rows are looked through a
few at a time, which the processor's cache holds, and sorted together.
"""

import numpy as np

ROWS = 1024  # that are looked through at a time
GROUPS = 3  # groups of columns for each place, at least: with fewer the bound lies lower, and more is sorted
LOW = 32  # bits of a key that hold the column
COLUMN = np.uint64((1 << LOW) - 1)
NOTHING = np.uint64((1 << 64) - 1)  # sorts last


def best_places(values: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the highest values of each row, best first, equal ones in their order; and these values.

    Args:
        values: float32 [n, C], none of them nan.
        top_k: 1 to C.

    Returns:
        int32 [n, top_k], float32 [n, top_k].
    """
    parts = [candidates(values[low : low + ROWS], top_k) for low in range(0, max(len(values), 1), ROWS)]
    keys, counts = (np.concatenate(each) for each in zip(*parts, strict=True))  # [m], [n]
    table = np.full((len(counts), counts.max(initial=top_k)), NOTHING)
    table[np.arange(table.shape[1]) < counts[:, None]] = keys
    table.sort(axis=1)
    best = table[:, :top_k]
    return (best & COLUMN).astype(np.int32), rising((best >> np.uint64(LOW)).astype(np.uint32))


def candidates(values: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the values [n, C] that may be among the highest of their row, uint64 [m]; how many each row has, [n]."""
    found = np.flatnonzero(values >= bounds(values, top_k))  # [m]
    rows, columns = np.divmod(found, values.shape[1])
    keys = (falling(values.ravel()[found]).astype(np.uint64) << np.uint64(LOW)) | columns.astype(np.uint64)
    return keys, np.bincount(rows, minlength=len(values))


def bounds(values: np.ndarray, top_k: int) -> np.ndarray:
    """A value that at least top_k values of each row reach, and few others where values differ; [n, 1].

    Halves of the columns are laid on each other, so that each column that is left holds the maximum of a group; what
    is left over may be left out.
    """
    while (half := values.shape[1] // 2) >= GROUPS * top_k:
        values = np.maximum(values[:, :half], values[:, half : 2 * half])
    return np.partition(values, -top_k, axis=1)[:, -top_k, None]


def falling(values: np.ndarray) -> np.ndarray:
    """Numbers that fall as values, float32 [m], rise; uint32 [m]."""
    return turned((values + np.float32(0)).view(np.int32)).view(np.uint32)  # there is no -0 after that


def rising(numbers: np.ndarray) -> np.ndarray:
    """The values that such numbers, uint32 of any shape, are of; float32."""
    return turned(numbers.view(np.int32)).view(np.float32)


def turned(bits: np.ndarray) -> np.ndarray:
    """Turns the order of floats that are not negative round, and leaves that of the others, as int32."""
    return np.where(bits < 0, bits, bits ^ 0x7FFFFFFF)
