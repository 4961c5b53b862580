"""Text of classes and scores, `3 0.91 0 0.0327`, as `%d %g` writes them and six times as fast.

    pair_texts(kept)     # [b"3 0.91 0 0.0327", b"7 0.5"]

A pair is put together of three pieces of eight bytes that are looked up for all pairs at once: the class, `0.` with the
zeros behind it, and six digits. What a piece does not need is zero bytes, which `bytes.translate` takes out.

The digits of a score s are those of s · 10ᵖ, to the nearest even number, for the p that makes six of them. That product
is rounded to 53 bits, which moves no digit where s is a float32 from 10⁻⁴ on: its 24 bits are too few to come so close
to the middle between two numbers. All other scores go through `%g` itself.
"""

import functools
from collections.abc import Sequence

import numpy as np

from yt8m_audio.prediction.kept_classes import KeptClasses

SCALES = np.array([1e6, 1e7, 1e8, 1e9])  # of scores from .1, .01, .001 and .0001 on
LIMITS = np.array([1e-1, 1e-2, 1e-3, 1e-4], np.float32)
MOST_DIGITS = 10**6
PIECE = np.dtype(np.uint64)
ONE, TWO = "S8", "S16"  # what one piece holds, and two
LINE_END = ord("\n")


def pair_texts(kept: KeptClasses) -> list[bytes]:
    """Formats `class score class score ...` of each clip; empty where it has none."""
    pieces = np.empty((len(kept.classes), 3), PIECE)
    pieces[:, 0] = class_pieces(int(kept.classes.max(initial=0)).bit_length())[kept.classes]
    put_scores(pieces, kept.scores)
    counts = kept.counts[kept.counts > 0]
    pieces.view(np.uint8)[np.cumsum(counts) - counts, 0] = LINE_END  # in place of the space before a pair
    texts = pieces.tobytes().translate(None, b"\0").split(b"\n")[1:]
    if len(counts) == len(kept.counts):
        return texts
    found = iter(texts)
    return [next(found) if count else b"" for count in kept.counts.tolist()]


def put_scores(pieces: np.ndarray, scores: np.ndarray) -> None:
    """Puts the text of scores, float32 [m], into the last two of the pieces [m, 3]."""
    below = (scores < LIMITS[:3, None]).sum(axis=0, dtype=np.int8)  # [m], zeros behind the point
    with np.errstate(invalid="ignore"):
        digits = np.rint(scores * SCALES[below])  # [m]
    others = ~((scores >= LIMITS[3]) & (digits < MOST_DIGITS))
    digits[others] = 0
    pieces[:, 1] = zeros_pieces()[below]
    pieces[:, 2] = digit_pieces()[digits.astype(np.int32)]
    if others.any():
        pieces[others, 1:] = as_pieces([b" %g" % score for score in scores[others].tolist()], TWO).reshape(-1, 2)


def as_pieces(texts: Sequence[bytes], width: str = ONE) -> np.ndarray:
    """Texts that are as wide at most, as numbers that hold them, filled up with zero bytes."""
    return np.array(texts, width).view(PIECE)


@functools.cache
def class_pieces(bits: int) -> np.ndarray:
    """The text of each class of so many bits, with the space before it."""
    return as_pieces([b" %d" % number for number in range(1 << bits)])


@functools.cache
def zeros_pieces() -> np.ndarray:
    """What stands before the digits, by how many zeros there are behind the point."""
    return as_pieces([b" 0." + b"0" * zeros for zeros in range(len(SCALES))])


@functools.cache
def digit_pieces() -> np.ndarray:
    """The text of each number of six digits, without the zeros at its end; 8 MB."""
    numbers, text = np.arange(MOST_DIGITS), np.zeros((MOST_DIGITS, PIECE.itemsize), np.uint8)
    ends = np.ones(MOST_DIGITS, bool)  # whether there are but zeros from this digit on
    for place in reversed(range(6)):
        numbers, digit = np.divmod(numbers, 10)
        ends &= digit == 0
        text[:, place] = np.where(ends, 0, digit + ord("0"))
    return text.view(PIECE).ravel()
