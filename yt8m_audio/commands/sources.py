"""What is common to all that can be evaluated: the clips that are asked for, and scores of them."""

import dataclasses
from collections.abc import Iterator
from typing import Protocol

from yt8m_audio.evaluation.scores import Scores

STATED = ("segment_labels", "num_classes", "label_map", "skip_corrupt_records")


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a source is evaluated on, and how that is read.

    Attributes:
        pattern: glob of the records, or a packed folder; for predictions also a CSV of AudioSet's segments. The
            sample's test clips when empty and a run was trained on the sample.
        flag: the flag that gives the pattern, for errors.
        source_flag: the flag that gives the source, for errors; "" where an argument does.
        checkpoint: which of a run: best, last, or a step.
        held_out: only those of the clips that a run held out.
        segment_labels: YouTube-8M's rated segments.
        eval_ids: file of the ids of the clips to evaluate; all when empty.
        batch_size: clips in a batch.
        num_classes: classes of predictions, where neither they nor the label map nor the records tell.
        label_map: names of the classes; the run's own, or AudioSet's, when empty.
        skip_corrupt_records: leave corrupt records out, rather than stop.
        num_readers: shards that are read at a time where they lie on another machine.
    """

    pattern: str
    flag: str = "eval_data_pattern"
    source_flag: str = ""
    checkpoint: str = "best"
    held_out: bool = False
    segment_labels: bool = False
    eval_ids: str = ""
    batch_size: int = 1024
    num_classes: int | None = None
    label_map: str = ""
    skip_corrupt_records: bool = False
    num_readers: int = 8

    @property
    def where(self) -> str:
        """The flag and the pattern, for errors."""
        return f"--{self.flag}={self.pattern}"

    def named(self, source: str) -> str:
        """The source as the command line gave it, for errors."""
        return f"--{self.source_flag}={source}" if self.source_flag else source

    def stated(self) -> dict:
        """What else of it, that is not as usual, an evaluation depends on: all that doing it again takes."""
        usual = {each.name: each.default for each in dataclasses.fields(self)}
        return {name: getattr(self, name) for name in STATED if getattr(self, name) != usual[name]}


def reading_of(flags) -> dict:
    """Those of a command's flags, a dataclass, that are fields of `Asked`: how its clips are read."""
    names = {each.name for each in dataclasses.fields(Asked)} & {each.name for each in dataclasses.fields(flags)}
    return {name: getattr(flags, name) for name in names}


class Source(Protocol):
    """Scores of clips, from wherever.

    Attributes:
        about: what it is, as JSON takes it: `kind`, `source`, `model`, `eval_data_pattern`, more by kind, and what
            `Asked.stated` gives.
        where: the flag and the pattern of the clips, for errors.
        num_classes: C.
        label_map: path of the names of its classes, or "".
    """

    about: dict
    where: str
    num_classes: int
    label_map: str

    def __len__(self) -> int:
        """How many clips there are at most: corrupt records may turn out to be none."""

    def batches(self) -> Iterator[Scores]:
        """Gives the scores of all clips once, some at a time."""

    def lost_lines(self) -> list[str]:
        """Says which corrupt records were left out."""
