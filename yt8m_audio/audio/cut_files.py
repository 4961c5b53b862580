"""Whether a WAV or an Ogg file was cut: their decoders take what is there for the whole."""

import os
from typing import BinaryIO

from yt8m_audio.audio.sound_errors import SoundError
from yt8m_audio.audio.wav_stream import read_header

OGG_PAGE = b"OggS"
LAST_OF_STREAM = 4  # flag in the sixth byte of a page
MOST_PAGE_BYTES = 27 + 255 + 255 * 255


def is_cut(file: BinaryIO) -> bool:
    """Whether a file, open at any place, ends before the end that its headers tell of; of other formats False."""
    file.seek(0)
    head = file.read(4)
    if head == b"RIFF":
        return _wav_is_cut(file)
    return head == OGG_PAGE and _ogg_is_cut(file)


def _wav_is_cut(file: BinaryIO) -> bool:
    """Whether the data chunk is said to be longer than the file."""
    file.seek(0)
    try:
        header = read_header(file, "")
    except SoundError:
        return False  # it is for a decoder to say
    return header.data_bytes is not None and file.tell() + header.data_bytes > os.fstat(file.fileno()).st_size


def _ogg_is_cut(file: BinaryIO) -> bool:
    """Whether the last page is not whole, or not marked as the last one."""
    size = os.fstat(file.fileno()).st_size
    file.seek(max(0, size - MOST_PAGE_BYTES))
    tail = file.read()
    page = tail[tail.rfind(OGG_PAGE) :] if OGG_PAGE in tail else b""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return not page[5] & LAST_OF_STREAM or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])
