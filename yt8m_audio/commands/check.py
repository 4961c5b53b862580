"""python -m yt8m_audio check RECORDS: says what is odd about features, and how far they agree with others."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yt8m_audio.audio.feature_statistics import Agreement, FeatureStatistics, some
from yt8m_audio.commands.feature_reading import FeatureReading
from yt8m_audio.commands.feature_sources import source_of
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse
from yt8m_audio.paths import path_of
from yt8m_audio.progress_line import ProgressLine
from yt8m_audio.run_directory import write_json

ABOUT = "Says what is odd about features, and how far they agree with others of the same clips."
WIDTH = 80
BARS = " ▁▂▃▄▅▆▇█"
BINS = 32
HIGH_AGREEMENT = 0.9  # correlation below which a dimension is spoken of


@dataclasses.dataclass(frozen=True)
class CheckFlags:
    """What is checked.

    Attributes:
        records: Glob of the records, in quotes, or several with commas between; or a packed folder.
        against: Glob of other records of the same clips, by id, to compare the features with.
        json: File to write all figures to, the histogram of each dimension among them; - prints them.
    """

    records: str = dataclasses.field(metadata=POSITIONAL)
    against: str = ""
    json: str = ""


def main(argv) -> int:
    """Prints what features are like; 1 where something is odd."""
    asked, line = parse(argv, ABOUT, CheckFlags), ProgressLine()
    ours = FeatureReading(asked.records, "records")
    statistics = statistics_of(ours, line.show)
    odd, agreement = [*ours.losses(), *statistics.oddities()], None
    report: dict[str, Any] = {"records": asked.records, **statistics.facts(), "odd": odd}
    if asked.against:
        theirs = FeatureReading(asked.against, "against")
        agreement = compared(ours, theirs, line.show)
        report["against"] = {"records": asked.against, **agreement.facts()}
        odd += [*(f"--against: {text}" for text in theirs.losses()), *agreement.oddities()]
    line.clear()
    if asked.json == "-":
        print(json.dumps(report, indent=2))
        return 1 if odd else 0
    show(asked, statistics, agreement, odd)
    if asked.json:
        write_json(path_of(asked.json), report)
        print(f"Wrote all figures to {asked.json}.")
    return 1 if odd else 0


def statistics_of(reading: FeatureReading, progress: Callable[[str], None]) -> FeatureStatistics:
    """Reads all clips once.

    Raises:
        UserError: if none can be read.
    """
    source = source_of(reading.clips)
    statistics = FeatureStatistics(reading.dimension, reading.is_bytes, source.hop_seconds if source else 1.0)
    for numbers in reading.numbers():
        rows, real = reading.read(numbers)
        statistics.add(rows.features, rows.num_frames, reading.video_ids[numbers[real]], rows.start_time, rows.end_time)
        progress(f"{statistics.clips:,} of {len(reading):,} clips")
    if not statistics.frames:
        raise UserError(f"{reading.pattern} holds no frames: give a glob of records with features.")
    return statistics


def compared(ours: FeatureReading, theirs: FeatureReading, progress: Callable[[str], None]) -> Agreement:
    """Compares the clips that both have.

    Raises:
        UserError: if there are none, or the features are not of one kind.
    """
    for what, one, other in (
        ("features a frame", ours.dimension, theirs.dimension),
        ("type", *("bytes" if each.is_bytes else "floats" for each in (ours, theirs))),
    ):
        if one != other:
            raise UserError(f"--against={theirs.pattern} has another {what} ({other}) than {ours.pattern} ({one}).")
    numbers, others = common(ours.video_ids, theirs.video_ids)
    if not len(numbers):
        first, second = (each.video_ids[0].decode(errors="replace") for each in (ours, theirs))
        raise UserError(
            f"--against={theirs.pattern} has none of the clips of {ours.pattern} (ids such as {second} and {first})."
        )
    other_of, agreement = dict(zip(numbers.tolist(), others.tolist(), strict=True)), Agreement(ours.dimension)
    for part in ours.numbers(numbers):
        match = np.array([other_of[number] for number in part.tolist()])
        shared = np.minimum(ours.lengths[part], theirs.lengths[match])
        frames = max(1, int(shared.max()))
        (one, real), (other, also_real) = ours.read(part, frames), theirs.read(match, frames)
        both = real & also_real
        x, y = one.features[both[real]][:, :frames], other.features[both[also_real]][:, :frames]
        agreement.add(x, y, shared[both], int((ours.lengths[part] != theirs.lengths[match])[both].sum()))
        progress(f"{agreement.clips:,} of {len(numbers):,} clips compared")
    return agreement


def common(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in both of the ids that both have, the first place of each: int64 [n] each."""
    places = {name: number for number, name in reversed(list(enumerate(theirs.tolist())))}
    first = {name: number for number, name in reversed(list(enumerate(ours.tolist()))) if name in places}
    return np.array(list(first.values()), np.int64), np.array([places[name] for name in first], np.int64)


# What is printed


def show(asked: CheckFlags, statistics: FeatureStatistics, agreement: Agreement | None, odd: list[str]) -> None:
    """Prints the tables, and what is odd."""
    console = Console(width=WIDTH)
    console.print(table(asked.records, facts_of(statistics)))
    if agreement is not None:
        console.print(table(f"against {asked.against}", agreement_facts(agreement, statistics.is_bytes)))
    for text in odd:
        console.print(f"odd: {text}", markup=False, highlight=False)
    if not odd:
        console.print("Nothing is odd.", highlight=False)


def table(title: str, facts: dict[str, str]) -> Table:
    """A table of names and texts."""
    made = Table(title=escape(title), title_justify="left", show_header=False)
    made.add_column()
    made.add_column(overflow="fold")
    for name, text in facts.items():
        made.add_row(name, escape(text))
    return made


def facts_of(statistics: FeatureStatistics) -> dict[str, str]:
    """What features are like, in words."""
    means, deviations = statistics.moments()
    same_id, same_content = statistics.duplicates()
    kind = "bytes" if statistics.is_bytes else "floats"
    hop = statistics.usual_hop()
    facts = {
        "clips": f"{statistics.clips:,}, {statistics.frames / max(statistics.clips, 1):.3g} frames each on average",
        "features": f"{statistics.dimension} {kind} a frame",
        "hop": "not known" if hop is None else f"{hop:g} s a frame, by the times of most clips",
        "means": f"{means.min():.4g} to {means.max():.4g} by dimension",
        "deviations": f"{deviations.min():.4g} to {deviations.max():.4g} by dimension",
    }
    if statistics.is_bytes:
        low, high = statistics.saturation()
        most = int(np.argmax(low + high))
        facts["1 to 254"] = bars(statistics.histogram.sum(axis=0))
        facts["clipped"] = (
            f"{low.mean():.1%} at 0, {high.mean():.1%} at 255; most in dimension {most}, {low[most] + high[most]:.1%}"
        )
    facts["constant"] = some(constant) if (constant := statistics.constant_dimensions()) else "no dimension"
    facts["frames"] = f"{statistics.zero_frames:,} all zero; {statistics.still_clips:,} clips of equal frames"
    facts["twice"] = f"{same_id:,} ids, {same_content:,} contents; {statistics.empty_clips:,} clips without frames"
    return facts


def agreement_facts(agreement: Agreement, is_bytes: bool) -> dict[str, str]:
    """How far two sources agree, in words."""
    correlation, difference = agreement.correlation(), agreement.difference()
    known = correlation[~np.isnan(correlation)]
    low = np.flatnonzero(correlation < HIGH_AGREEMENT)
    low = low[np.argsort(correlation[low])].tolist()
    spread = f"{np.median(known):.4f} in the median, {known.min():.4f} at least" if len(known) else "not known"
    of_bytes = "of 255 " if is_bytes else ""
    same = agreement.equal.sum() / max(agreement.frames * len(correlation), 1)
    return {
        "clips": f"{agreement.clips:,} in both, {agreement.frames:,} frames; {agreement.other_length:,} of two lengths",
        "correlation": f"{spread}, by dimension",
        "lowest": f"{len(low)} below {HIGH_AGREEMENT:g}" + (f": {some(low)}" if low else ""),
        "difference": f"{difference.mean():.4g} {of_bytes}on average, {difference.max():.4g} in the worst dimension",
        "equal": f"{same:.1%} of the values",
    }


def bars(counts: np.ndarray) -> str:
    """A histogram of bytes as a line of bars; both ends, where clipped values pile up, are left out."""
    counts = np.concatenate([[0], counts[1:-1], [0]])
    bins = counts.reshape(BINS, -1).sum(axis=1)
    heights = np.ceil(bins / max(bins.max(), 1) * (len(BARS) - 1)).astype(int)
    return "".join(BARS[height] for height in heights)
