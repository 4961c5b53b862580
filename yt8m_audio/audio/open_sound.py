"""A sound that is being decoded, whatever decodes it, and the arithmetic on its blocks."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np

READ_SAMPLES = 1 << 14  # of each channel, decoded at a time


@dataclasses.dataclass
class OpenSound:
    """What a decoder has opened.

    Attributes:
        sample_rate: in Hz.
        channels: how many.
        blocks: gives the sound from a sample on, as float32 [n, channels] in about [-1, 1]; called once.
        close: ends the decoding.
        num_samples: of each channel, where the file says so.
        seconds: the same in seconds, or what a container says that does not know its samples.
        warnings: what was odd so far, a line each; grows while blocks are read.
    """

    sample_rate: int
    channels: int
    blocks: Callable[[int], Iterator[np.ndarray]]
    close: Callable[[], None]
    num_samples: int | None = None
    seconds: float | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        if self.seconds is None and self.num_samples is not None:
            self.seconds = self.num_samples / self.sample_rate


def dropped(blocks: Iterable[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """Leaves out the first `count` rows."""
    for block in blocks:
        left_out = min(count, len(block))
        count -= left_out
        if left_out < len(block):
            yield block[left_out:]


def taken(blocks: Iterable[np.ndarray], count: int | None) -> Iterator[np.ndarray]:
    """Gives the first `count` rows, all of them where it is None."""
    for block in blocks:
        if count is None:
            yield block
            continue
        yield block[:count]
        count -= min(count, len(block))
        if not count:
            return


def in_blocks(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Joins pieces to blocks of `size` rows, the last one as long as it is, if there is any left."""
    held, num_held = [], 0
    for piece in pieces:
        held.append(piece)
        num_held += len(piece)
        if num_held < size:
            continue
        joined = np.concatenate(held)
        whole = num_held - num_held % size
        yield from (joined[start : start + size] for start in range(0, whole, size))
        held, num_held = [joined[whole:]], num_held - whole
    if num_held:
        yield np.concatenate(held)
