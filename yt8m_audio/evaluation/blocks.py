"""Large tables in blocks, several at a time: numpy sorts, searches and compares without the interpreter's lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

THREADS = min(os.cpu_count() or 1, 4)
CLASSES_PER_LINE = 16  # float32 in a cache line: reading fewer columns at a time costs as much
PAIRS_PER_BLOCK = 1 << 19  # clips times classes: temporaries of a few MB, which stay in a core's cache


def blocks(length: int, size: int) -> list[slice]:
    """Slices of `size` rows, the last one shorter, that cover `length` rows."""
    return [slice(start, start + size) for start in range(0, length, size)]


def clip_blocks(num_clips: int, num_classes: int) -> list[slice]:
    """Blocks of whole clips, of about PAIRS_PER_BLOCK clip-class pairs each."""
    return blocks(num_clips, max(PAIRS_PER_BLOCK // num_classes, 1))


def class_blocks(num_clips: int, num_classes: int) -> list[slice]:
    """Blocks of whole classes, of about PAIRS_PER_BLOCK clip-class pairs each, or more where clips are many."""
    return blocks(num_classes, max(PAIRS_PER_BLOCK // num_clips, CLASSES_PER_LINE))


def in_threads(work: Callable, parts: Iterable) -> list:
    """What `work` returns of each part, in their order; a single part is worked on right here."""
    parts = list(parts)
    if len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(min(THREADS, len(parts))) as pool:
        return list(pool.map(work, parts))
