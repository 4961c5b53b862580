"""How many frames the longest of some clips has: what is read of recordings that are cut into windows."""

from readers import Clips
from readers.stores import ArrayStore
from readers.wire import ParsedRecords


def longest_clip(clips: Clips) -> int:
    """Reads all records of frames once, and no features; returns the most frames, at least 1.

    Raises:
        UserError: if a record cannot be read.
    """
    store = clips.store
    if isinstance(store, ArrayStore):
        return max(1, int(store.arrays.num_frames.max(initial=0)))
    name = clips.data.names[0]

    def num_frames(records):
        return ParsedRecords(records.buffer, records.starts, records.ends).num_frames(name)

    return max([1, *(int(found.max(initial=0)) for _, found, _ in store.scan(num_frames))])
