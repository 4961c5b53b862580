"""What became of each segment: a row each, in one SQLite file beside the clips.

    with Manifest.create(folder / "manifest.sqlite") as manifest:
        manifest.add(read_list("eval_segments.csv"))
        for clip in manifest.due(time.time(), limit=16): ...
        manifest.record([outcome])

A row is `waiting` (to be tried at `next_try` or later), `done`, `short` (kept, though its video ends before the segment
does) or `failed` (not tried again). It changes when all is over and the file lies there: what a killed run had begun is
still waiting. One process writes at a time, others may look. Any SQLite client reads it. It may come from elsewhere, so
that a row which no run writes is an error wherever it is read.
"""

import collections
import dataclasses
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_audio.audioset.clips.reasons import Reason
from yt8m_audio.audioset.clips.segment import Segment, is_asked_for, is_video_id
from yt8m_audio.audioset.clips.sqlite_errors import sqlite_errors
from yt8m_audio.errors import UserError

WAITING, DONE, SHORT, FAILED = STATES = ("waiting", "done", "short", "failed")
VERSION = 1
CACHE_KIB = 32 * 1024
CHUNK = 256
TABLES = """
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lists (number INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS clips (
    list INTEGER, video_id TEXT, start_ms INTEGER, end_ms INTEGER, labels TEXT,
    state TEXT DEFAULT 'waiting', reason TEXT DEFAULT '', message TEXT DEFAULT '', countries TEXT DEFAULT '',
    attempts INTEGER DEFAULT 0, next_try REAL DEFAULT 0,
    bytes INTEGER DEFAULT 0, samples INTEGER DEFAULT 0, sha256 TEXT DEFAULT '', video_sha256 TEXT DEFAULT '',
    PRIMARY KEY (list, video_id, start_ms, end_ms)
) WITHOUT ROWID;
"""
INDEX = "CREATE INDEX IF NOT EXISTS by_state ON clips (state, next_try, reason, bytes)"  # made after the rows: faster
COLUMNS = "name, video_id, start_ms, end_ms, labels, state, reason, message, countries, attempts, next_try, bytes, "
COLUMNS += "samples, sha256, video_sha256"
KEY = "list = ? AND video_id = ? AND start_ms = ? AND end_ms = ?"
OUTCOME = ("state", "reason", "message", "countries", "attempts", "next_try", "bytes", "samples", "sha256")
OUTCOME += ("video_sha256",)
KINDS = (str, str, int, int, str, str, str, str, str, int, (int, float), int, int, str, str)  # of COLUMNS
KNOWN = frozenset({"", *Reason})


class Clip(NamedTuple):
    """A row.

    Attributes:
        segment: what is asked for.
        state: one of STATES.
        reason: of the last failure, or of `short`; "" where there was none.
        message: what was said.
        countries: codes of those in which the video can be had, with commas between, where that is the reason.
        attempts: times that it was tried.
        next_try: seconds since 1970 before which it is not tried.
        bytes: of the sound's file.
        samples: of the sound, a channel.
        sha256: of the sound's file.
        video_sha256: of the video's, where one was asked for.
    """

    segment: Segment
    state: str = WAITING
    reason: str = ""
    message: str = ""
    countries: str = ""
    attempts: int = 0
    next_try: float = 0.0
    bytes: int = 0
    samples: int = 0
    sha256: str = ""
    video_sha256: str = ""


@dataclasses.dataclass(frozen=True)
class Count:
    """How many rows have a state and a reason, and how long their files are."""

    state: str
    reason: str
    clips: int
    bytes: int


class Manifest:
    """The rows of one folder of clips, or of one shard of it."""

    def __init__(self, path: Path, connection: sqlite3.Connection):
        self.path, self.connection = path, connection
        self.lists: dict[str, int] = {}

    @classmethod
    def create(cls, path: Path) -> "Manifest":
        """Opens a manifest to write, and makes it where it is not there."""
        with sqlite_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.executescript(TABLES)
            manifest = cls(path, connection)
            if manifest.note("version") is None:
                manifest.keep("version", VERSION)
        manifest._check()
        return manifest

    @classmethod
    def open(cls, path: Path) -> "Manifest":
        """Opens a manifest that is there.

        Raises:
            UserError: if it is not, or is none, or one that this program did not make.
        """
        if not path.is_file():
            raise UserError(f"{path} is not there: python -m yt8m_audio clips CSV OUT makes it.")
        with sqlite_errors(path):
            manifest = cls(path, sqlite3.connect(path, timeout=60, check_same_thread=False))
        manifest._check()
        return manifest

    def _check(self) -> None:
        """Raises a UserError about a file of another version, or with anything in it that could run as a program."""
        with sqlite_errors(self.path):
            self.connection.execute("PRAGMA trusted_schema = OFF")
            query = "SELECT count(*) FROM sqlite_master WHERE type IN ('view', 'trigger')"
            if self.connection.execute(query).fetchone()[0]:
                raise self.foreign("views or triggers")
        version = self.note("version")
        if version != VERSION:
            raise UserError(f"{self.path} is a manifest of version {version}: this program reads {VERSION}.")

    def foreign(self, what: str) -> UserError:
        """The error about what no run writes."""
        return UserError(f"{self.path} holds {what}, as no run writes: it is damaged, or from elsewhere; leave it out.")

    def __enter__(self) -> "Manifest":
        return self

    def __exit__(self, *error) -> None:
        self.connection.close()

    # Notes: settings, and what a run knows that the next one has to

    def note(self, name: str) -> Any:
        """A note, or None."""
        with sqlite_errors(self.path):
            found = self.connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        try:
            return json.loads(found[0]) if found else None
        except (ValueError, TypeError, RecursionError) as error:
            raise self.foreign(f"a note {name!r} that is no JSON") from error

    def keep(self, name: str, value: Any) -> None:
        """Keeps a note, of anything that JSON holds."""
        with sqlite_errors(self.path), self.connection:
            self.connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, json.dumps(value)))

    # Rows

    def add(self, segments: Iterable[Segment]) -> int:
        """Adds segments, all or none of them; those that are there already stay as they are. Returns how many came."""
        insert = "INSERT OR IGNORE INTO clips (list, video_id, start_ms, end_ms, labels) VALUES (?, ?, ?, ?, ?)"
        with sqlite_errors(self.path), self.connection:
            rows = ((self._number(name), *rest) for name, *rest in segments)
            added = self.connection.executemany(insert, rows).rowcount
            self.connection.execute(INDEX)
        with sqlite_errors(self.path):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return added

    def due(self, now: float, limit: int) -> list[Clip]:
        """Returns rows that wait and may be tried, those first that wait longest."""
        return self._rows("WHERE state = 'waiting' AND next_try <= ? ORDER BY next_try LIMIT ?", (now, limit))

    def next_try(self) -> float | None:
        """When the first of the waiting rows may be tried; None where none waits."""
        with sqlite_errors(self.path):
            return self.connection.execute("SELECT min(next_try) FROM clips WHERE state = 'waiting'").fetchone()[0]

    def record(self, clips: Sequence[Clip], **notes: Any) -> None:
        """Writes what became of rows, and notes with it: all or nothing."""
        values = ", ".join(f"{name} = ?" for name in OUTCOME)
        rows = [(*clip[1:], *self._key(clip.segment)) for clip in clips]
        with sqlite_errors(self.path), self.connection:
            self.connection.executemany(f"UPDATE clips SET {values} WHERE {KEY}", rows)
            texts = [(name, json.dumps(value)) for name, value in notes.items()]
            self.connection.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", texts)

    def clips(self, states: Sequence[str] = STATES) -> Iterator[Clip]:
        """All rows in some states, one by one."""
        marks = ", ".join("?" for _ in states)
        where = "" if set(states) == set(STATES) else f"WHERE state IN ({marks})"  # the index leads all over the file
        yield from self._cursor(where, tuple(states) if where else ())

    def chunks(self, states: Sequence[str]) -> Iterator[list[Clip]]:
        """The same in lists, with rows as they are when a list is asked for: they may be changed meanwhile."""
        after = (0, "", 0, 0)
        marks = ", ".join("?" for _ in states)
        where = f"WHERE (list, video_id, start_ms, end_ms) > (?, ?, ?, ?) AND state IN ({marks}) "
        where += "ORDER BY list, video_id, start_ms, end_ms LIMIT ?"
        while rows := self._rows(where, (*after, *states, CHUNK)):
            yield rows
            after = self._key(rows[-1].segment)

    def counts(self) -> list[Count]:
        """How many rows there are of each state and reason, the most frequent first."""
        query = "SELECT state, reason, count(*), sum(bytes) FROM clips GROUP BY state, reason ORDER BY 3 DESC"
        with sqlite_errors(self.path):
            found = [Count(*row) for row in self.connection.execute(query)]
        for each in found:
            if each.state not in STATES or each.reason not in KNOWN or not isinstance(each.bytes, int):
                raise self.foreign(f"rows of the state {each.state!r} and the reason {each.reason!r}")
        return found

    def states_of(self, segments: Iterable[Segment]) -> collections.Counter[str]:
        """How many of some segments have which state; those that are not there are not counted."""
        query = f"SELECT state FROM clips WHERE {KEY}"
        with sqlite_errors(self.path):
            numbers = dict(self.connection.execute("SELECT name, number FROM lists"))
            keys = ((numbers[name], *key) for name, *key, _ in segments if name in numbers)
            rows = (self.connection.execute(query, key).fetchone() for key in keys)
            return collections.Counter(row[0] for row in rows if row)

    def retry(self, reasons: Sequence[Reason]) -> int:
        """Has failed and short rows of some reasons tried again; returns how many."""
        marks = ", ".join("?" for _ in reasons)
        change = "UPDATE clips SET state = 'waiting', attempts = 0, next_try = 0 WHERE "
        change += f"reason IN ({marks}) AND (state IN ('failed', 'short') OR (state = 'waiting' AND next_try > 0))"
        with sqlite_errors(self.path), self.connection:
            return self.connection.execute(change, tuple(reasons)).rowcount

    def twice_named(self) -> str | None:
        """The id of a video that a list has several segments of, or None."""
        query = "SELECT video_id FROM clips GROUP BY list, video_id HAVING count(*) > 1 LIMIT 1"
        return (self.connection.execute(query).fetchone() or (None,))[0]

    def merge(self, other: "Manifest") -> int:
        """Takes another manifest's rows: those that are new, and those that got further there. Returns how many.

        Further is done, then short, then failed, then waiting; of two of the same state, that with more attempts.
        """
        rank = "CASE {}.state WHEN 'done' THEN 3 WHEN 'short' THEN 2 WHEN 'failed' THEN 1 ELSE 0 END"
        here, there = (
            f"({rank.format(each)}) * 1000000 + min({each}.attempts, 999999)" for each in ("clips", "excluded")
        )
        values = ", ".join(f"{name} = excluded.{name}" for name in OUTCOME)
        insert = f"INSERT INTO clips (list, video_id, start_ms, end_ms, labels, {', '.join(OUTCOME)}) "
        insert += f"VALUES ({', '.join('?' * (5 + len(OUTCOME)))}) "
        insert += f"ON CONFLICT DO UPDATE SET {values} WHERE {there} > {here}"
        with sqlite_errors(self.path), self.connection:
            rows = ((*self._key(clip.segment), clip.segment.labels, *clip[1:]) for clip in other.clips())
            changed = self.connection.executemany(insert, rows).rowcount
            self.connection.execute(INDEX)
        return changed

    def _number(self, name: str) -> int:
        """The number of a list, which gets one where it has none."""
        if name not in self.lists:
            self.connection.execute("INSERT OR IGNORE INTO lists (name) VALUES (?)", (name,))
            found = self.connection.execute("SELECT number FROM lists WHERE name = ?", (name,)).fetchone()
            self.lists[name] = found[0]
        return self.lists[name]

    def _key(self, segment: Segment) -> tuple[int, str, int, int]:
        return self._number(segment.list_name), segment.video_id, segment.start_ms, segment.end_ms

    def _rows(self, where: str, values: tuple) -> list[Clip]:
        return list(self._cursor(where, values))

    def _cursor(self, where: str, values: tuple) -> Iterator[Clip]:
        query = f"SELECT {COLUMNS} FROM clips JOIN lists ON lists.number = clips.list {where}"
        with sqlite_errors(self.path):
            for row in self.connection.execute(query, values):
                clip = Clip(Segment(*row[:5]), *row[5:])
                if not (all(map(isinstance, row, KINDS)) and _could_be(clip)):
                    raise self.foreign(f"a row of the video {str(row[1])[:40]!r}")
                yield clip


def _could_be(clip: Clip) -> bool:
    """Whether a run could have written such a row: only such ones name files, addresses and reasons."""
    segment = clip.segment
    is_segment = is_video_id(segment.video_id) and is_asked_for(segment.start_ms, segment.end_ms)
    return is_segment and clip.state in STATES and clip.reason in KNOWN
