"""Many serialised tf.train.Examples or SequenceExamples at once, in NumPy, straight from protobuf's wire format.

    records = ParsedRecords(buffer, starts, ends)                        # uint8 [bytes], int64 [n], int64 [n]
    ids, labels = records.strings("video_id", "id"), records.integers("labels")
    features, num_frames = records.frames(["rgb", "audio"], [1024, 128], ["uint8", "uint8"], max_frames=300)

All records are walked in step: the first entry of each map, then the second of each, and so on. That needs entries
as protobuf's own serialisers write them. A record that is different (lists that are not packed, unknown fields, a
value before its key, frames of several sizes) is parsed by protobuf, written again in that form, and walked as well;
so is one that is damaged, and what protobuf refuses is a MalformedRecord.

https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from readers.rows import Ragged

FIRST, SECOND = 0x0A, 0x12  # tags of fields 1 and 2, where these hold a length and so many bytes
EMPTY, STRINGS, FLOATS, INTEGERS, IRREGULAR = range(5)  # the middle three are numbers of fields of a tf.train.Feature
HELD = {STRINGS: "strings", FLOATS: "floats", INTEGERS: "integers", IRREGULAR: "several strings"}
FRAME_KINDS = {"uint8": (STRINGS, 1), "float32": (FLOATS, 4)}  # and bytes a value
TOO_LONG = 1 << 40  # stands for a length that is none: no record ends so far away
MOST_LENGTH = (1 << 31) - 1  # protobuf's limit
WORD_BYTES = 8
MOST_HEADER_BYTES = 2 * WORD_BYTES
MOST_KEYS_IN_STEP = 64  # more keys of one length than that come one by one: hardly any data has so many
MOST_KEY_BYTES = 255  # so do longer ones
LARGE_BYTES = 1 << 15  # from here on a copy takes longer than a step of a Python loop
DEQUANTISED = (np.arange(256) * (4 / 255) + (4 / 512 - 2)).astype(np.float32)


class MalformedRecord(Exception):  # noqa: N818
    """A record that is damaged, or does not hold what was asked for.

    Attributes:
        number: its row, from 0; the first one where there are several.
        why: a phrase that can follow "record 5: ".
    """

    def __init__(self, number: int, why: str):
        super().__init__(f"record {number}: {why}")
        self.number = int(number)
        self.why = why


class Entries(NamedTuple):
    """Entries of the records' maps, a column each; of two with one key in one record the later one counts.

    Attributes:
        rows: the record that it is in.
        kinds: EMPTY, STRINGS, FLOATS, INTEGERS or IRREGULAR.
        starts: where its payload begins, or its first frame; of integers, where they are among those decoded.
        lengths: bytes of the payload, in a feature list those of one frame.
        counts: values of a feature, frames of a feature list; -1 where it is IRREGULAR.
        headers: bytes before the payload of each frame; 0 in the context.
        keys: number of the key.
    """

    rows: np.ndarray
    kinds: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    counts: np.ndarray
    headers: np.ndarray
    keys: np.ndarray

    def where(self, keep: np.ndarray) -> "Entries":
        """Returns some of them, by a mask or by their places."""
        return Entries(*(column[keep] for column in self))

    @classmethod
    def joined(cls, parts: Sequence["Entries"]) -> "Entries":
        """Puts some behind others."""
        if not parts:
            return cls(*(np.zeros(0, np.int64) for _ in cls._fields))
        return parts[0] if len(parts) == 1 else cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class ParsedRecords:
    """What is in some records, by key.

    Args:
        buffer: uint8 [bytes], with the records and anything between them; it is kept, not copied.
        starts: int64 [n], first byte of each record.
        ends: int64 [n], the byte behind it.
        message: what they are. As tf.train.Examples their feature lists are not looked at, damaged or not: quicker
            where only the context is wanted.

    Frames are looked at when frames are asked for, the rest at once.

    Raises:
        MalformedRecord: if protobuf's own parser refuses one.
    """

    def __init__(
        self, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, message: type = tf.train.SequenceExample
    ):
        starts, ends = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
        if starts.size and not (starts.min() >= 0 and (starts <= ends).all() and ends.max() <= buffer.size):
            raise ValueError(f"Records must lie in the buffer. Received: {buffer.size} bytes, {starts=}, {ends=}")
        self._starts, self._ends, self._message = starts, ends, message
        self._bytes = Bytes(buffer)
        self._numbers: dict[bytes, int] = {}  # of the keys
        self._walk = Walk(buffer, starts, ends, self._numbers, message is tf.train.SequenceExample)
        self._set_aside(np.flatnonzero(self._walk.odd))

    def __len__(self) -> int:
        return len(self._starts)

    def strings(self, *names: str) -> np.ndarray:
        """Returns the first of some context features that a record has.

        Returns:
            bytes objects [n], b"" where a record has none of them.

        Raises:
            MalformedRecord: if it holds something else, or several strings.
        """
        starts, lengths = np.zeros((2, len(self)), np.int64)
        missing = np.ones(len(self), bool)
        for name in names:
            its_starts, counts, its_lengths = self._located(name, STRINGS)
            first = missing & (counts > 0)
            starts[first], lengths[first] = its_starts[first], its_lengths[first]
            missing &= ~first
        strings = np.full(len(self), b"", object)
        left = np.flatnonzero(lengths)
        while left.size:  # a round for each length: ids have one or two
            alike = lengths[left] == lengths[left[0]]
            rows, left = left[alike], left[~alike]
            strings[rows] = self._bytes.windows(starts[rows], lengths[rows[0]]).astype(object)
        return strings

    def integers(self, name: str) -> Ragged:
        """Returns a context feature of integers, as int64; no values where a record lacks it.

        Raises:
            MalformedRecord: if it holds something else.
        """
        starts, counts, _ = self._located(name, INTEGERS)
        return Ragged(self._walk.integers[spread(starts, counts)], counts)

    def floats(self, name: str) -> Ragged:
        """Returns a context feature of floats, as float32; no values where a record lacks it.

        Raises:
            MalformedRecord: if it holds something else.
        """
        starts, counts, _ = self._located(name, FLOATS)
        return Ragged(self._bytes.windows(spread(starts, counts, 4), 4).view("<f4"), counts)

    def float_vectors(self, name: str, size: int) -> np.ndarray:
        """Returns a context feature of `size` floats that every record has: float32 [n, size].

        Raises:
            MalformedRecord: if one lacks it, or it holds something else or another number of floats.
        """
        starts, counts, _ = self._located(name, FLOATS)
        refuse_first(
            (counts == 0, lambda row: f"it has no feature {name}"),
            (counts != size, lambda row: f"{name} holds {counts[row]} floats, not {size}"),
        )
        return self._bytes.windows(starts, 4 * size).view("<f4").reshape(len(self), size)

    def num_frames(self, name: str) -> np.ndarray:
        """Returns how many frames a feature list has, int64 [n].

        Raises:
            MalformedRecord: if a record lacks it, or its frames differ in size.
        """
        self._set_aside(self._uneven_rows(np.ones(len(self._walk.lists.rows), bool)))
        found = self._find(self._walk.lists, name)
        refuse_first(*self._list_faults(name, found))
        return picked(self._walk.lists.counts, found)

    def frames(
        self,
        names: Sequence[str],
        sizes: Sequence[int],
        kinds: Sequence[str],
        max_frames: int,
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns feature lists beside one another, cut or padded to `max_frames`.

        Args:
            names: the feature lists, D values a frame together; the first one says how many frames a record has.
            sizes: values a frame, of each.
            kinds: "uint8" for those whose frame is one string of bytes, "float32" for those of floats.
            max_frames: T, frames to return.
            out: where to write the features.

        Returns:
            Features [n, T, D], 0 where there are no frames, and the number of frames, int32 [n], at most T. They are
            uint8 where all lists are, else float32 with the bytes dequantised, x * 4/255 + 4/512 - 2.

        Raises:
            MalformedRecord: if a record lacks one of them, or its frames have another kind or size.
        """
        found = [self._find(self._walk.lists, name) for name in names]
        each_list = zip(names, found, sizes, kinds, strict=True)
        refuse_first(*(fault for each in each_list for fault in self._frame_faults(*each)))
        features = output(out, (len(self), max_frames, sum(sizes)), kinds)
        num_frames = np.minimum(picked(self._walk.lists.counts, found[0]), max_frames)
        column, unseen, uneven = 0, np.ones(len(self._walk.lists.rows), bool), []
        for index, size in zip(found, sizes, strict=True):
            counts = np.minimum(picked(self._walk.lists.counts, index), num_frames)
            seen, wrong = self._copy_frames(index, counts, features[:, :, column : column + size])
            unseen[seen] = False
            uneven.append(wrong)
            column += size
        uneven = np.unique(np.concatenate([*uneven, self._uneven_rows(unseen)]))
        if uneven.size:
            self._set_aside(uneven)
            return self.frames(names, sizes, kinds, max_frames, out)
        return features, num_frames.astype(np.int32)

    def _set_aside(self, rows: np.ndarray) -> None:
        """Has protobuf write some records again, and takes what is in them from there."""
        if rows.size:
            rewritten, *places = rewrite(self._bytes.main, self._starts, self._ends, rows, self._message)
            lists = self._message is tf.train.SequenceExample
            walk = Walk(rewritten, *places, self._numbers, lists, rewritten=True)
            self._walk.replace(rows, walk, self._bytes.size)
            self._bytes.append(rewritten)

    def _uneven_rows(self, chosen: np.ndarray) -> np.ndarray:
        """Finds the records where one of some feature lists, bool [all lists], has frames that differ."""
        lists = self._walk.lists
        chosen = lists.where(chosen & (lists.counts > 1) & (lists.starts < self._bytes.main.size))
        return np.unique(chosen.rows[uneven_frames(self._bytes.main, chosen)])

    def _find(self, entries: Entries, name: str) -> np.ndarray:
        """Returns the place among some entries of each record's entry with a key, int64 [n], -1 where it has none."""
        found = np.full(len(self), -1, np.int64)
        chosen = np.flatnonzero(entries.keys == self._numbers.get(name.encode(), -1))
        found[entries.rows[chosen]] = chosen
        return found

    def _located(self, name: str, kind: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns where a context feature begins, how many values it has (0 if absent), and bytes: int64 [n] each."""
        found = self._find(self._walk.context, name)
        counts, kinds = picked(self._walk.context.counts, found), picked(self._walk.context.kinds, found)
        wanted = "one string" if kind == STRINGS else HELD[kind]
        refuse_first(((counts != 0) & (kinds != kind), lambda row: f"{name} holds {HELD[kinds[row]]}, not {wanted}"))
        return picked(self._walk.context.starts, found), counts, picked(self._walk.context.lengths, found)

    def _list_faults(self, name: str, found: np.ndarray) -> list["Fault"]:
        """Tells which records lack a feature list, or have one that cannot be read as rows of one size."""
        return [
            (found < 0, lambda row: f"it has no feature list {name}"),
            (picked(self._walk.lists.counts, found) < 0, lambda row: f"the frames of {name} differ in kind or size"),
        ]

    def _frame_faults(self, name: str, found: np.ndarray, size: int, kind: str) -> list["Fault"]:
        """Tells which records have no such frames in a feature list."""
        wanted, value_bytes = FRAME_KINDS[kind]
        filled = picked(self._walk.lists.counts, found) > 0
        kinds, sizes = picked(self._walk.lists.kinds, found), picked(self._walk.lists.lengths, found) // value_bytes
        what = {"uint8": "bytes", "float32": "floats"}[kind]
        return [
            *self._list_faults(name, found),
            (filled & (kinds != wanted), lambda row: f"{name} holds {HELD[kinds[row]]}, not {HELD[wanted]}"),
            (filled & (sizes != size), lambda row: f"{name} holds {sizes[row]} {what} a frame, not {size}"),
        ]

    def _copy_frames(self, found: np.ndarray, counts: np.ndarray, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Copies the first `counts` [n] frames of each record's list to `out` [n, T, size], with 0 behind them.

        Returns:
            Places of the lists all whose frames it looked at; and rows of those whose frames turned out to differ.
        """
        seen, uneven = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for count in np.flatnonzero(np.bincount(counts)) if counts.size else ():
            rows = np.flatnonzero(counts == count)
            chosen = slice(None) if len(rows) == len(counts) else rows
            out[chosen, count:] = 0
            if count == 0:
                continue
            entries = found[chosen]
            kind, header = self._walk.lists.kinds[entries[0]], self._walk.lists.headers[entries[0]]
            stride, starts = header + self._walk.lists.lengths[entries[0]], self._walk.lists.starts[entries]
            if WORD_BYTES <= stride < LARGE_BYTES // count:
                block = self._bytes.windows(starts, count * stride).view(np.uint8).reshape(len(rows), count, stride)
                out[chosen, :count] = converted(block[:, :, header:], kind, out.dtype)
                seen.append(entries[self._walk.lists.counts[entries] == count])
                uneven.append(rows[uneven_rows(block, int(header))])
                continue
            for row, start in zip(rows.tolist(), starts.tolist(), strict=True):
                frames = self._bytes.region(start, count * stride).reshape(count, stride)[:, header:]
                out[row, :count] = converted(frames, kind, out.dtype)
        return np.concatenate(seen), np.concatenate(uneven)


class Bytes:
    """The buffer, and behind it the records that were written again.

    Args:
        main: uint8 [any].
    """

    def __init__(self, main: np.ndarray):
        self.main, self.side = main, np.zeros(0, np.uint8)

    @property
    def size(self) -> int:
        """Bytes of both: the address of what is appended next."""
        return self.main.size + self.side.size

    def append(self, more: np.ndarray) -> None:
        """Adds bytes, uint8 [any]."""
        self.side = np.concatenate([self.side, more])

    def windows(self, starts: np.ndarray, width: int) -> np.ndarray:
        """Returns `width` bytes from each of some addresses: void [n], of that width."""
        if not self.side.size:
            return windows(self.main, starts, width)
        beside = starts >= self.main.size
        found = np.empty(len(starts), f"V{width}")
        found[beside] = windows(self.side, starts[beside] - self.main.size, width)
        found[~beside] = windows(self.main, starts[~beside], width)
        return found

    def region(self, start: int, length: int) -> np.ndarray:
        """Returns `length` bytes from an address, not copied: uint8 [length]."""
        if start < self.main.size:
            return self.main[start : start + length]
        return self.side[start - self.main.size :][:length]


class Walk:
    """What a walk through some records finds.

    Args:
        buffer: uint8 [bytes].
        starts: int64 [n].
        ends: int64 [n].
        numbers: numbers of the keys that are known; those found are added.
        feature_lists: whether to look at them.
        rewritten: whether protobuf wrote the records itself: an IRREGULAR entry is no damage then. Else its record
            is odd; and frames behind the first one are left for later, when they are copied.

    Attributes:
        odd: bool [n], records that protobuf must see; nothing of theirs is kept.
        context: entries of the context.
        lists: entries of the feature lists.
        integers: the values of all integer features in the context, int64.
    """

    def __init__(self, buffer, starts, ends, numbers, feature_lists: bool, rewritten: bool = False):
        self.odd = np.zeros(len(starts), bool)
        (context, context_ends), (lists, list_ends) = self._halves(buffer, starts, ends)
        self.context = self._entries(buffer, context, context_ends, context_value, numbers)
        self.lists = Entries.joined([])
        if feature_lists:
            self.lists = self._entries(buffer, lists, list_ends, list_value, numbers)
        self._decode_integers(buffer)
        if rewritten:
            uneven = self.lists.counts > 1
            uneven[uneven] = uneven_frames(buffer, self.lists.where(uneven))
            self.lists.kinds[uneven], self.lists.counts[uneven] = IRREGULAR, -1
        else:
            for entries in (self.context, self.lists):
                self.odd[entries.rows[entries.kinds == IRREGULAR]] = True
        if self.odd.any():
            self._drop(self.odd)

    def replace(self, rows: np.ndarray, other: "Walk", shift: int) -> None:
        """Puts what a walk through other records found in place of what our `rows` hold; their bytes are `shift` on."""
        if other.odd.any():
            raise MalformedRecord(rows[np.argmax(other.odd)], "protobuf itself writes it in a form that is not known")
        self._drop(np.isin(np.arange(len(self.odd)), rows))
        shifts = np.where(other.context.kinds == INTEGERS, len(self.integers), shift)
        context = other.context._replace(rows=rows[other.context.rows], starts=other.context.starts + shifts)
        lists = other.lists._replace(rows=rows[other.lists.rows], starts=other.lists.starts + shift)
        self.context, self.lists = Entries.joined([self.context, context]), Entries.joined([self.lists, lists])
        self.integers = np.concatenate([self.integers, other.integers])

    def _drop(self, rows: np.ndarray) -> None:
        """Forgets what some records hold, bool [n]."""
        self.context, self.lists = (each.where(~rows[each.rows]) for each in (self.context, self.lists))

    def _halves(self, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray):
        """Finds the context and the feature lists of each record: (starts, ends) [n] of the one and of the other."""
        cursor = Cursor(buffer, starts)
        tag, length = cursor.field()
        there = (tag == FIRST) & (starts < ends)
        context, context_ends = cursor.at, np.where(there, cursor.at + length, starts)
        cursor = Cursor(buffer, context_ends)
        tag, length = cursor.field()
        there = context_ends < ends
        list_ends = np.where(there, cursor.at + length, context_ends)
        self.odd |= (there & (tag != SECOND)) | (list_ends != ends)
        return (context, context_ends), (cursor.at, list_ends)

    def _entries(self, buffer, at: np.ndarray, ends: np.ndarray, value: Callable, numbers) -> Entries:
        """Walks through one map of each record, in step.

        Args:
            buffer: uint8 [bytes].
            at: int64 [n], where the maps begin.
            ends: int64 [n], where they end; before `at` where there is none.
            value: reads the value at a cursor, which ends at ends [any]: columns of `Entries` from `kinds` on.
            numbers: numbers of the keys.
        """
        steps = []
        rows = np.flatnonzero((at < ends) & ~self.odd)
        at, ends = at[rows], ends[rows]
        while rows.size:
            cursor = Cursor(buffer, at)
            tag, length = cursor.field()
            at = cursor.at + length
            good = (tag == FIRST) & (at <= ends)
            tag, key_length = cursor.field()
            key_start = cursor.at
            cursor.skip(key_length)
            good &= tag == FIRST
            tag, length = cursor.field()
            good &= (tag == SECOND) & (cursor.at + length == at)
            columns = [rows, key_start, key_length, *value(cursor, at)]
            if not good.all():
                self.odd[rows[~good]] = True
                columns, rows, at, ends = [each[good] for each in columns], rows[good], at[good], ends[good]
            steps.append(columns)
            more = at < ends
            if not more.all():
                rows, at, ends = rows[more], at[more], ends[more]
        return self._with_keys(buffer, steps, numbers)

    def _with_keys(self, buffer: np.ndarray, steps: list[list[np.ndarray]], numbers: dict[bytes, int]) -> Entries:
        """Joins what the steps found, and numbers the keys."""
        if not steps:
            return Entries.joined([])
        rows, key_starts, key_lengths, *values = (np.concatenate(columns) for columns in zip(*steps, strict=True))
        keys = numbered(buffer, key_starts, key_lengths, numbers)
        self.odd[rows[keys < 0]] = True
        return Entries(rows, *values, keys)

    def _decode_integers(self, buffer: np.ndarray) -> None:
        """Decodes all integers of the context, and has their entries point there."""
        entries, chosen = self.context, np.flatnonzero(self.context.kinds == INTEGERS)
        self.integers, counts, bad = varints(buffer, entries.starts[chosen], entries.lengths[chosen])
        self.odd[entries.rows[chosen[bad]]] = True
        entries.starts[chosen], entries.counts[chosen] = np.cumsum(counts) - counts, counts


class Cursor:
    """Reads the heads of fields, a tag and a length, at many places at once.

    Places may lie anywhere; what is read behind the buffer is no tag.

    Args:
        buffer: uint8 [bytes].
        at: int64 [n].
    """

    def __init__(self, buffer: np.ndarray, at: np.ndarray):
        self.buffer, self.at, self.left = buffer, at, 0

    def skip(self, length: np.ndarray) -> None:
        """Goes on by `length` [n] bytes."""
        self.at, self.left = self.at + length, 0

    def field(self) -> tuple[np.ndarray, np.ndarray]:
        """Reads a tag of one byte and a length, and goes on behind them.

        Returns:
            tag and length, int64 [n]; TOO_LONG where it is no length, or one that is written longer than needed.
        """
        if self.left < 2:
            self.word, self.left = words(self.buffer, self.at), WORD_BYTES
        if (self.word & 0x8000).any():
            return self._long_field()
        tag, length = self.word & 0xFF, (self.word >> 8) & 0x7F
        self.word, self.at, self.left = self.word >> 16, self.at + 2, self.left - 2
        return tag, length

    def _long_field(self) -> tuple[np.ndarray, np.ndarray]:
        """The same where some length has up to five bytes, seven bits in each, the lowest first."""
        if self.left < 6:
            self.word = words(self.buffer, self.at)
        tag, body = self.word & 0xFF, self.word >> 8
        last = ~body & 0x8080808080  # the lowest of these bits marks the last byte
        last &= -last
        body &= (last - 1) & 0x7F7F7F7F7F
        length, size = body & 0x7F, np.ones_like(body)
        for number in range(1, int(last.max()).bit_length() // 8):
            length |= (body >> number) & (0x7F << 7 * number)
            size += last > 0x80 << 8 * (number - 1)
        padded = (size > 1) & (length >> 7 * (size - 1) == 0)
        length[(last == 0) | padded | (length > MOST_LENGTH)] = TOO_LONG
        self.at, self.left = self.at + 1 + size, 0
        return tag, length


def context_value(cursor: Cursor, ends: np.ndarray) -> list[np.ndarray]:
    """Reads a tf.train.Feature: kinds, starts, lengths, counts and headers, see `Entries`."""
    empty = cursor.at == ends
    tag, length = cursor.field()
    kind, list_start = tag >> 3, cursor.at
    inner, payload_length = cursor.field()
    bare = list_start == ends
    simple = (tag & 7 == 2) & (kind >= STRINGS) & (kind <= INTEGERS) & (list_start + length == ends)
    simple &= bare | ((inner == FIRST) & (cursor.at + payload_length == ends))
    simple &= (kind != FLOATS) | bare | (payload_length & 3 == 0)
    length = np.where(empty | bare | ~simple, 0, payload_length)
    kind = np.where(empty, EMPTY, np.where(simple, kind, IRREGULAR))
    count = np.where(kind == FLOATS, length >> 2, (kind == STRINGS) & ~bare)
    count[kind == IRREGULAR] = -1
    return [kind, cursor.at, length, count, np.zeros_like(kind)]


def list_value(cursor: Cursor, ends: np.ndarray) -> list[np.ndarray]:
    """Reads a tf.train.FeatureList by its first frame: kinds, starts, lengths, counts and headers, see `Entries`."""
    start = cursor.at
    tag, length = cursor.field()
    frame_end = cursor.at + length
    good = tag == FIRST
    tag, length = cursor.field()
    kind = tag >> 3
    good &= (tag & 7 == 2) & ((kind == STRINGS) | (kind == FLOATS)) & (cursor.at + length == frame_end)
    tag, length = cursor.field()
    good &= (tag == FIRST) & (cursor.at + length == frame_end) & ((kind == STRINGS) | (length & 3 == 0))
    count, rest = np.divmod(ends - start, frame_end - start)
    header = cursor.at - start
    good &= (rest == 0) & (header <= MOST_HEADER_BYTES)
    empty = start == ends
    kind = np.where(empty, EMPTY, np.where(good, kind, IRREGULAR))
    return [kind, start, length, np.where(empty, 0, np.where(good, count, -1)), header]


def uneven_frames(buffer: np.ndarray, lists: Entries) -> np.ndarray:
    """Tells which feature lists, bool [any], have frames whose headers are not that of their first frame."""
    uneven = np.zeros(len(lists.rows), bool)
    strides, left = lists.headers + lists.lengths, np.arange(len(lists.rows))
    while left.size:  # kind and size of a frame make its header: one round for each pair of them
        first = left[0]
        alike = (lists.kinds[left] == lists.kinds[first]) & (strides[left] == strides[first])
        same, left = left[alike], left[~alike]
        at = spread(lists.starts[same], lists.counts[same], strides[first])
        found = masked_words(buffer, at, int(lists.headers[first]))
        wrong = (found != found[0]).any(axis=1)
        places = np.flatnonzero(wrong)
        uneven[same[np.searchsorted(np.cumsum(lists.counts[same]), places, "right")]] = True
    return uneven


def uneven_rows(block: np.ndarray, header: int) -> np.ndarray:
    """Tells which records have a frame whose header is not that of the first frame of all.

    Args:
        block: uint8 [k, frames, bytes], at least eight bytes, laid out without gaps.
        header: bytes of a header.

    Returns:
        bool [k].
    """
    differs = np.zeros(len(block), bool)
    for offset in {0, max(header - WORD_BYTES, 0)}:
        found = np.ndarray(block.shape[:2], "<i8", block, offset, block.strides[:2])
        mask = (1 << 8 * header) - 1 if header < WORD_BYTES else -1
        wrong = found != found[0, 0] if mask == -1 else (found ^ found[0, 0]) & mask != 0
        if wrong.any():
            differs |= wrong.any(axis=1)
    return differs


def numbered(buffer: np.ndarray, starts: np.ndarray, lengths: np.ndarray, numbers: dict[bytes, int]) -> np.ndarray:
    """Numbers keys, int64 [any], those that are new behind those known; -1 where one is not UTF-8."""
    keys, short = np.full(len(starts), -1, np.int64), np.minimum(lengths, MOST_KEY_BYTES + 1)
    for length in np.flatnonzero(np.bincount(short)).tolist():
        left = np.flatnonzero(short == length)
        if 0 < length <= MOST_KEY_BYTES:
            left = number_alike(buffer, starts, length, left, keys, numbers)
        for place in left.tolist():
            keys[place] = number_of(bytes(buffer[starts[place] :][: lengths[place]]), numbers)
    return keys


def number_alike(buffer, starts, length: int, left: np.ndarray, keys: np.ndarray, numbers: dict[bytes, int]):
    """Numbers keys of one length, at places `left`, all that are alike in one go; returns places that are left over."""
    found = masked_words(buffer, starts[left], length)
    for _ in range(MOST_KEYS_IN_STEP):
        alike = found[:, 0] == found[0, 0]
        for column in range(1, found.shape[1]):
            alike &= found[:, column] == found[0, column]
        number = number_of(bytes(buffer[starts[left[0]] :][:length]), numbers)
        if alike.all():
            keys[left] = number
            return left[:0]
        keys[left[alike]] = number
        left, found = left[~alike], found[~alike]
    return left


def number_of(key: bytes, numbers: dict[bytes, int]) -> int:
    """Returns the number of a key, a new one if need be; -1 where it is not UTF-8, which protobuf refuses."""
    try:
        key.decode()
    except UnicodeDecodeError:
        return -1
    return numbers.setdefault(key, len(numbers))


def varints(buffer: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decodes lists of integers, seven bits a byte, the lowest first and the top bit set in all but the last byte.

    Args:
        buffer: uint8 [bytes].
        starts: int64 [k], where the lists begin.
        lengths: int64 [k], their bytes.

    Returns:
        Values of all lists, int64; values of each, int64 [k]; and which lists are broken or strange, bool [k].
    """
    bad = lengths > 0
    bad[bad] = buffer[(starts + lengths - 1)[bad]] > 0x7F
    lengths = np.where(bad, 0, lengths)
    data = buffer[spread(starts, lengths)]
    final = data < 0x80
    stops, ends = np.flatnonzero(final), np.cumsum(lengths)
    begins = np.concatenate([[0], stops[:-1] + 1])[: len(stops)]
    sizes, values = stops - begins + 1, np.zeros(len(stops), np.int64)
    for number in range(min(int(sizes.max(initial=0)), 10)):
        longer = np.flatnonzero(sizes > number)
        values[longer] |= (data[begins[longer] + number].astype(np.int64) & 0x7F) << 7 * number
    strange = stops[(sizes > 10) | ((sizes == 10) & (data[stops] != 1))]
    bad[np.searchsorted(ends, strange, "right")] = True
    totals = np.concatenate([[0], np.cumsum(final)])[ends]
    return values, np.diff(totals, prepend=0), bad


def rewrite(buffer, starts, ends, rows: np.ndarray, message: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Has protobuf parse some records and write them again: their bytes, and starts and ends of `rows` in these.

    Raises:
        MalformedRecord: if it refuses one.
    """
    written = []
    for row in rows.tolist():
        try:
            record = message.FromString(bytes(buffer[starts[row] : ends[row]]))
        except Exception as error:  # whatever protobuf raises on bytes that are no message
            raise MalformedRecord(row, f"it is no tf.train.{message.__name__}") from error
        record.DiscardUnknownFields()
        written.append(record.SerializeToString(deterministic=True))
    places = np.cumsum([0, *map(len, written)])
    return np.frombuffer(b"".join(written), np.uint8), places[:-1], places[1:]


def windows(buffer: np.ndarray, starts: np.ndarray, width: int) -> np.ndarray:
    """Returns `width` bytes from each of some places: void [n], of that width."""
    if not len(starts):
        return np.empty(0, f"V{width}")
    # Every place of the buffer as an element of its own: indexing that is a plain copy for each place.
    return np.ndarray((buffer.size - width + 1,), f"V{width}", buffer, strides=(1,))[starts]


def words(buffer: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Returns the eight bytes from each of some places as int64 [n], the first byte lowest."""
    last = buffer.size - WORD_BYTES
    if at.size and last >= 0 and at.max() <= last:
        return windows(buffer, at, WORD_BYTES).view("<i8")
    if last < 0:
        buffer, last = np.concatenate([buffer, np.zeros(-last, np.uint8)]), 0
    beyond = 4 * np.clip(at - last, 0, WORD_BYTES)  # half of the bits to drop: a shift by 64 would do nothing
    return windows(buffer, np.minimum(at, last), WORD_BYTES).view("<i8") >> beyond >> beyond


def masked_words(buffer: np.ndarray, at: np.ndarray, length: int) -> np.ndarray:
    """Returns `length` bytes from each of some places as words, 0 behind them: int64 [n, words]."""
    number = -(-length // WORD_BYTES)
    if at.size and at.max() + number * WORD_BYTES <= buffer.size:
        found = windows(buffer, at, number * WORD_BYTES).view("<i8").reshape(-1, number)
    else:
        found = np.stack([words(buffer, at + WORD_BYTES * column) for column in range(number)], axis=1)
    if length % WORD_BYTES:
        found[:, -1] &= (1 << 8 * (length % WORD_BYTES)) - 1
    return found


def spread(starts: np.ndarray, counts: np.ndarray, step: int = 1) -> np.ndarray:
    """Returns start, start + step, ... of each list, as many as it has values: int64 [sum of counts]."""
    if len(counts) and (counts == counts[0]).all():
        return (starts[:, None] + step * np.arange(counts[0])).ravel()
    before = np.cumsum(counts) - counts
    return np.repeat(starts - step * before, counts) + step * np.arange(counts.sum())


def picked(column: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Returns a column of entries at places [n], 0 where the place is -1."""
    if not column.size:
        return np.zeros(len(found), np.int64)
    there = found >= 0
    return column[found] if there.all() else np.where(there, column[found], 0)


Fault = tuple[np.ndarray, Callable[[int], str]]  # which records have it, bool [n], and what to say of one


def refuse_first(*faults: Fault) -> None:
    """Raises a MalformedRecord for the first record that has one of some faults, and for its first fault."""
    found = [(int(np.argmax(bad)), say) for bad, say in faults if bad.any()]
    if found:
        number, say = min(found, key=lambda each: each[0])
        raise MalformedRecord(number, say(number))


def output(out: np.ndarray | None, shape: tuple[int, int, int], kinds: Sequence[str]) -> np.ndarray:
    """Makes the array for features, or checks the given one."""
    dtype = np.uint8 if all(kind == "uint8" for kind in kinds) else np.float32
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(f"out must be {np.dtype(dtype)} {list(shape)}. Received: {out.dtype} {list(out.shape)}")
    return out


def converted(frames: np.ndarray, kind: int, dtype: np.dtype) -> np.ndarray:
    """Makes payloads, uint8 [..., bytes], to what is asked for: bytes as they are, dequantised, or floats."""
    if kind == FLOATS:
        return np.ascontiguousarray(frames).view("<f4")
    return frames if dtype == np.uint8 else DEQUANTISED[frames]
