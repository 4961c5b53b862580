"""Parts of binary formats: predictions as bytes that can be put one after another, and be read again piece by piece.

    file.write(packed(predicted))
    for predicted in unpacked(path): ...

A piece is a header (mark, clips n, classes k, bytes of ids, whether classes are listed once for all), then lengths of
the ids, the ids, start times, end times, classes and scores.
"""

import dataclasses
import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from yt8m_audio.prediction.predicted import Predicted

HEADER = struct.Struct("<8sQQQQ")
MARK = b"YT8MPRED"


def packed(predicted: Predicted) -> bytes:
    """The bytes of some clips; classes that are the same for all of them are listed once."""
    ids = predicted.video_ids.tolist()
    classes = predicted.classes.astype("<i4", copy=False)  # [n, k]
    same = len(ids) > 0 and bool((classes == classes[:1]).all())
    names = b"".join(ids)
    arrays = (
        np.array([len(each) for each in ids], "<u4"),
        np.frombuffer(names, np.uint8),
        predicted.start_times.astype("<f4", copy=False),
        predicted.end_times.astype("<f4", copy=False),
        classes[:1] if same else classes,
        predicted.scores.astype("<f4", copy=False),
    )
    header = HEADER.pack(MARK, len(ids), classes.shape[1], len(names), same)
    return b"".join([header, *(array.tobytes() for array in arrays)])


def unpacked(paths: Iterable[Path]) -> Iterator[Predicted]:
    """Reads the pieces of parts, one at a time; each must be whole.

    Raises:
        ValueError: if a part is damaged.
    """
    for path in paths:
        with path.open("rb") as file:
            while header := file.read(HEADER.size):
                try:
                    yield _piece(header, file)
                except (struct.error, ValueError):
                    raise ValueError(f"{path} is damaged: remove it to have it made anew.") from None


def _piece(header: bytes, file: BinaryIO) -> Predicted:
    """Reads the piece behind a header."""
    mark, clips, width, id_bytes, same = HEADER.unpack(header)
    if mark != MARK:
        raise ValueError("no mark")
    shapes = ((clips,), (id_bytes,), (clips,), (clips,), (1 if same else clips, width), (clips, width))
    arrays = []
    for kind, shape in zip(("<u4", "u1", "<f4", "<f4", "<i4", "<f4"), shapes, strict=True):
        content = file.read(np.dtype(kind).itemsize * int(np.prod(shape)))
        arrays.append(np.frombuffer(content, kind).reshape(shape))
    return _predicted(*arrays)


def _predicted(lengths, id_bytes, start_times, end_times, classes, scores) -> Predicted:
    names, ends = id_bytes.tobytes(), [0, *np.cumsum(lengths, dtype=np.int64).tolist()]
    video_ids = np.empty(len(lengths), object)
    video_ids[:] = [names[begin:end] for begin, end in itertools.pairwise(ends)]
    return Predicted(video_ids, start_times, end_times, np.broadcast_to(classes, scores.shape), scores)


def in_blocks(pieces: Iterable[Predicted], size: int) -> Iterator[Predicted]:
    """Cuts predictions anew into blocks of as many clips each, the last one shorter, however they came."""
    waiting, count = [], 0
    for piece in pieces:
        waiting.append(piece)
        count += len(piece)
        while count >= size:
            together = joined(waiting)
            yield together.take(slice(0, size))
            waiting, count = [together.take(slice(size, None))], count - size
    if count:
        yield joined(waiting)


def joined(pieces: Sequence[Predicted]) -> Predicted:
    """Several pieces as one; they have as many classes each."""
    if len(pieces) == 1:
        return pieces[0]
    names = [field.name for field in dataclasses.fields(Predicted)]
    return Predicted(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in names))
