"""Figures of more clips than memory holds the scores of: batch by batch, none of them kept."""

import numpy as np

from yt8m_audio.commands.scored import check_labels, end_line
from yt8m_audio.commands.sources import Source
from yt8m_audio.evaluation.provenance import clip_names, provenance
from yt8m_audio.evaluation.streaming import StreamingAccumulator
from yt8m_audio.progress_line import ProgressLine

BOUND = "_error_bound"


def streamed(source: Source, accumulator: StreamingAccumulator) -> tuple[dict, dict]:
    """Computes the figures of a source without keeping its scores.

    Returns:
        The figures, and where they come from: `exact`, which is False, the bounds of error, and `accuracy`, which says
        the same in a sentence.

    Raises:
        UserError: if no clip has a label.
    """
    line, total = ProgressLine(), len(source)
    names, num_positives = [], np.zeros(source.num_classes, np.int64)
    for batch in source.batches():
        accumulator.add(batch)
        names += clip_names(batch)
        num_positives += np.count_nonzero(batch.labels, axis=0)
        line.show(f"{len(names):,} of {total:,} clips")
    end_line(line, source)
    check_labels(num_positives, len(names), source)
    figures = accumulator.compute()
    bounds = taken_out_bounds(figures)
    how = {"exact": figures.pop("exact"), **{f"{name}{BOUND}": each for name, each in bounds.items()}}
    return figures, {**source.about, **provenance(names, num_positives), **how, "accuracy": accuracy(bounds)}


def taken_out_bounds(figures: dict) -> dict[str, float]:
    """Takes the bounds of error out of figures, and returns them by the figures' names."""
    keys = [name for name in figures if name.endswith(BOUND)]
    return {key.removesuffix(BOUND): figures.pop(key) for key in keys}


def accuracy(bounds: dict[str, float]) -> str:
    """Says which figures are not exact, and how far they may be off."""
    above = {name: 1.05 * each for name, each in bounds.items()}  # so that two digits are not below it
    listed = ", ".join(f"{name} ±{each:.2g}" for name, each in above.items())
    return f"The scores do not fit in memory. From a sketch, and at most so far off: {listed}. The others are exact."
