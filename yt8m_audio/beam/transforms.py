"""The steps of a job as Beam's DoFns; each holds the job, which is pickled, and makes what it needs on the worker."""

import csv
import dataclasses
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.transforms.window import GlobalWindows, WindowedValue
from apache_beam.utils.shared import Shared

from yt8m_audio.beam.job import Cut, Failure, Job, Part, Piece, Size, Worker
from yt8m_audio.beam.places import first_numbers, places_of
from yt8m_audio.beam.whole_files import put_whole

SIZES, FAILURES = "sizes", "failures"  # further outputs
COUNTS = "yt8m_audio"  # namespace of the counters
ROWS, LOADS = "rows", "loads"
Placed = tuple[int, tuple[int, int, int, bytes]]  # file; first clip, a piece's first row and the one behind, content


class Find(beam.DoFn):
    """Finds the parts of an input (number, source); further outputs are sizes and failures."""

    def __init__(self, job: Job):
        self.failed, self.job = Metrics.counter(COUNTS, FAILURES), job

    def process(self, element: tuple[int, Any]) -> Iterator[Part]:
        """Gives an input's parts."""
        for found in self.job.find(*element):
            if isinstance(found, Size):
                yield beam.pvalue.TaggedOutput(SIZES, tuple(found))
            elif isinstance(found, Failure):
                self.failed.inc()
                yield beam.pvalue.TaggedOutput(FAILURES, tuple(found))
            else:
                yield found


class Work(beam.DoFn):
    """Makes pieces of parts; a further output are failures.

    A process has one worker, whatever threads and bundles it has. Parts wait until there are as many clips as it is
    given at a time, so that batches are full where inputs are small, but no longer than a bundle.
    """

    def __init__(self, job: Job, shared: Shared):
        self.job, self.shared = job, shared
        self.failed, self.made, self.loaded = (Metrics.counter(COUNTS, name) for name in (FAILURES, ROWS, LOADS))

    def setup(self):
        """Loads the worker where this process has none."""
        self.worker: Worker = self.shared.acquire(self.job.open)
        self.loads = int(self.worker.load())

    def start_bundle(self):
        """Begins with no parts."""
        self.waiting: list[Part] = []
        self.clips = 0

    def process(self, element: Part) -> Iterator[Piece]:
        """Takes a part, and gives pieces when there are enough."""
        self.loaded.inc(self.loads)  # which is not counted outside a bundle
        self.loads = 0
        self.waiting.append(element)
        self.clips += element.count
        if self.clips >= self.worker.at_a_time:
            yield from self._worked()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Gives the pieces of what is waiting."""
        for each in self._worked():
            is_tagged = isinstance(each, beam.pvalue.TaggedOutput)
            value = GlobalWindows.windowed_value_at_end_of_window(each.value if is_tagged else each)
            yield beam.pvalue.TaggedOutput(each.tag, value) if is_tagged else value

    def _worked(self) -> Iterator:
        parts, self.waiting, self.clips = self.waiting, [], 0
        for found in self.worker.work(parts) if parts else ():
            if isinstance(found, Failure):
                self.failed.inc()
                yield beam.pvalue.TaggedOutput(FAILURES, tuple(found))
            else:
                self.made.inc(len(found.numbers))
                yield found


class Place(beam.DoFn):
    """Says which file rows belong to, once it is known how many clips each input has."""

    def __init__(self, job: Job):
        self.job = job

    def start_bundle(self):
        """Forgets the sizes, which are the same throughout a bundle."""
        self.firsts: np.ndarray | None = None

    def process(self, element: Piece, sizes: Sequence[tuple[int, int]]) -> Iterator[Placed]:
        """Gives a piece to each file that has rows of it."""
        if self.firsts is None:
            self.firsts = first_numbers([Size(*each) for each in sizes])
        for file, clip, low, high in places_of(element, self.firsts, self.job.file_of):
            yield file, (clip, low, high, element.content)


@dataclasses.dataclass
class Held:
    """Pieces in a file in the order in which they came: clip, rows, place and length of each."""

    path: Path
    entries: list[tuple[int, int, int, int, int]]

    @classmethod
    def of(cls, pieces: Iterable[tuple[int, int, int, bytes]], path: Path) -> "Held":
        """Writes pieces to a file as they come: one is in memory at a time."""
        entries, place = [], 0
        with path.open("wb") as file:
            for clip, low, high, content in pieces:
                entries.append((clip, low, high, place, len(content)))
                place += file.write(content)
        return cls(path, entries)

    def in_order(self, path: Path) -> list[Cut]:
        """Writes the pieces to another file in the order of their clips, and says what lies where."""
        self.entries.sort()
        with self.path.open("rb") as file, path.open("wb") as ordered:
            for _, _, _, place, length in self.entries:
                file.seek(place)
                ordered.write(file.read(length))
        return [Cut(length, low, high) for _, low, high, _, length in self.entries]


class Write(beam.DoFn):
    """Writes each file, whole or not at all; what it holds lies on the worker's disk meanwhile, twice."""

    def __init__(self, job: Job, shared: Shared):
        self.job, self.shared = job, shared

    def setup(self):
        """Takes the worker of this process, or makes one, which is not loaded to write."""
        self.worker: Worker = self.shared.acquire(self.job.open)

    def process(self, element: tuple[int, Iterable[tuple[int, int, int, bytes] | None]]) -> Iterator[str]:
        """Writes a file, and gives its path."""
        number, pieces = element
        target = self.job.files[number]
        with tempfile.TemporaryDirectory() as folder:
            held = Held.of((each for each in pieces if each is not None), Path(folder, "held"))
            ordered = Path(folder, "ordered")
            cuts = held.in_order(ordered)
            held.path.unlink()
            made = Path(folder, target.rstrip("/").rpartition("/")[2])
            self.worker.write(number, made, ordered, cuts)
            put_whole(made, target)
        yield target


class WriteFailures(beam.DoFn):
    """Writes what could not be done as CSV, by source and record."""

    def __init__(self, target: str):
        self.target = target

    def process(self, element: tuple[None, Iterable[tuple | None]]) -> Iterator[str]:
        """Writes all failures, and gives the path."""
        rows = sorted((each for each in element[1] if each is not None), key=_by_source)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder, "failures.csv")
            with made.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(Failure._fields)
                writer.writerows(rows)
            put_whole(made, self.target)
        yield self.target


def _by_source(failure: tuple) -> tuple:
    source, record, offset, reason = failure
    return source, -1 if record is None else record, -1 if offset is None else offset, reason
