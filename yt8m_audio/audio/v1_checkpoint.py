"""Tensors of a TensorFlow checkpoint of format V1, such as Google's of VGGish, from where they lie in the file.

    places = places_of_floats("vggish_model.ckpt")   # {} where the file is of another kind
    read_floats("vggish_model.ckpt", places["vggish/fc1/fc1_1/weights"])    # float32 [numbers]

TensorFlow's own reader holds three copies of a tensor at a time, 0.6 GiB of VGGish's largest. A file of this format is
a table of LevelDB's (its doc/table_format.md), whose values are messages of TensorFlow's saved_tensor_slice.proto.
"""

import mmap
import os
from collections.abc import Iterator

import numpy as np

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES, ALIGNED_BYTES = 48, 64
DATA, NAME, TENSOR, FLOATS = 2, 1, 3, 5  # numbers of fields: SavedTensorSlices.data, SavedSlice.name, .data; float_val
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # kinds of fields
Span = tuple[int, int]  # of a file, its first byte and the one behind its last


def places_of_floats(path: str | os.PathLike) -> dict[str, Span]:
    """Finds the tensors of a checkpoint that are whole, uncompressed and float32, by name.

    Returns:
        Where they lie in the file; none where it is no such file, or is damaged where its parts are listed. What is in
        several slices is left out.
    """
    found: dict[str, Span | None] = {}
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for value in _values(content):
                for name, floats in _slices(content, value):
                    found[name] = None if name in found else floats
    except (OSError, ValueError, IndexError):
        return {}
    return {name: floats for name, floats in found.items() if floats is not None}


def read_floats(path: str | os.PathLike, place: Span) -> np.ndarray:
    """Reads float32 [numbers] to where TensorFlow takes them as they are: at a multiple of 64 bytes."""
    count = (place[1] - place[0]) // 4
    room = np.empty(count + ALIGNED_BYTES // 4, np.float32)
    first = -room.ctypes.data % ALIGNED_BYTES // 4
    floats = room[first : first + count]
    with open(path, "rb") as file:
        file.seek(place[0])
        file.readinto(floats)
    return floats


def _values(content: mmap.mmap) -> Iterator[Span]:
    """Where the values of the table lie."""
    footer = len(content) - FOOTER_BYTES
    if footer < 0 or int.from_bytes(content[-8:], "little") != MAGIC:
        raise ValueError("no table")
    place = footer
    for _ in range(2):  # the block of the index is named behind that of metadata
        first, place = _varint(content, place)
        size, place = _varint(content, place)
    for begin, _ in _entries(content, (first, first + size)):
        first, place = _varint(content, begin)
        size, _ = _varint(content, place)
        yield from _entries(content, (first, first + size))


def _entries(content: mmap.mmap, block: Span) -> Iterator[Span]:
    """Where the values of a block lie; of one that is compressed, as the byte behind it says, there are none."""
    place, end = block
    if content[end] != 0:
        return
    restarts = int.from_bytes(content[end - 4 : end], "little")
    while place < end - 4 * (restarts + 1):
        _, place = _varint(content, place)
        key, place = _varint(content, place)
        size, place = _varint(content, place)
        yield place + key, place + key + size
        place += key + size


def _slices(content: mmap.mmap, value: Span) -> Iterator[tuple[str, Span]]:
    """The name in a value, and where its numbers lie, where it has both."""
    for data in _fields(content, value, DATA):
        names, tensors = list(_fields(content, data, NAME)), list(_fields(content, data, TENSOR))
        floats = [each for tensor in tensors for each in _fields(content, tensor, FLOATS)]
        if len(names) == len(floats) == 1:
            yield content[slice(*names[0])].decode(), floats[0]


def _fields(content: mmap.mmap, message: Span, wanted: int) -> Iterator[Span]:
    """Where the fields of a message with a number lie, of those that are bytes."""
    place, end = message
    while place < end:
        key, place = _varint(content, place)
        kind = key & 7
        if kind == BYTES:
            size, place = _varint(content, place)
            if key >> 3 == wanted:
                yield place, place + size
            place += size
        elif kind == VARINT:
            _, place = _varint(content, place)
        elif kind in (FIXED32, FIXED64):
            place += 4 if kind == FIXED32 else 8
        else:
            raise ValueError("no message")


def _varint(content: mmap.mmap, place: int) -> tuple[int, int]:
    """A whole number of 7 bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
