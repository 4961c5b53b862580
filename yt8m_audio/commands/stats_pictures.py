"""What `stats --plots=FOLDER` draws: classes.png, labels_per_clip.png, durations.png, pairs.png, missing.png."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.commands.stats_source import EVENTS, Counted
from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import written_beside

BAR, FRAME = "#4c78a8", "#8a9099"
NAMED = 25  # classes that a plot has names of
LONGEST_NAME = 34  # characters
BINS = 60


def draw_all(folder: str, counted: Counted, classes: Sequence[dict], source: str) -> None:
    """Draws the plots.

    Args:
        folder: where they go.
        counted: what was counted.
        classes: a row each.
        source: what was counted, for titles.

    Raises:
        UserError: if matplotlib is missing, or one cannot be written.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise UserError("--plots needs matplotlib: pip install 'yt8m-audio[report]'.") from error
    clips, title = counted.clips, os.path.basename(source)
    plots = {"classes": lambda figure: _classes(figure, classes, title)}
    plots["labels_per_clip"] = lambda figure: _labels_per_clip(figure, clips.labels_per_clip(), title)
    plots["pairs"] = lambda figure: _pairs(figure, counted, title)
    if clips.durations_ms is not None and len(clips.durations_ms):
        what = "events" if counted.kind == EVENTS else "segments"
        plots["durations"] = lambda figure: _durations(figure, clips.durations_ms / 1000, what, title)
    if any(row.get("missing") for row in classes):
        plots["missing"] = lambda figure: _missing(figure, classes, title)
    try:
        os.makedirs(folder, exist_ok=True)
        for name, plot in plots.items():
            _draw(Path(folder, f"{name}.png"), plot)
    except OSError as error:
        raise UserError(f"--plots={folder} cannot be written: {error.strerror}.") from error


def _draw(path: Path, plot: Callable) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), dpi=110, layout="constrained")
    plot(figure)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    with written_beside(path) as partial:
        figure.savefig(partial)


def _classes(figure, classes: Sequence[dict], title: str) -> None:
    """All classes by their counts, and the names of the most frequent and the rarest."""
    counts = sorted((row["clips"] for row in classes), reverse=True)
    above, *below = figure.subplot_mosaic([["all", "all"], ["most", "least"]], height_ratios=[2, 3]).values()
    above.fill_between(range(len(counts)), counts, step="mid", color=BAR)
    above.set(yscale="log" if max(counts, default=0) > 100 else "linear", xlabel="classes, most frequent first")
    above.set(ylabel="clips", title=title)
    ordered = sorted((row for row in classes if row["clips"]), key=lambda row: -row["clips"])
    parts = (ordered[:NAMED], ordered[-NAMED:])
    for axes, rows, name in zip(below, parts, ("most frequent", "rarest"), strict=True):
        _bars(axes, [row["display_name"] for row in rows], [row["clips"] for row in rows], 6.5)
        axes.set_title(name, fontsize=9)


def _labels_per_clip(figure, counts: np.ndarray, title: str) -> None:
    axes = figure.subplots()
    histogram = np.bincount(counts)
    bars = axes.bar(range(len(histogram)), histogram, color=BAR)
    axes.bar_label(bars, [f"{each:,}" if each else "" for each in histogram], fontsize=8)
    axes.set(xlabel="labels", ylabel="clips", title=f"{title}: labels a clip", xticks=range(len(histogram)))


def _durations(figure, seconds: np.ndarray, what: str, title: str) -> None:
    axes = figure.subplots()
    axes.hist(seconds, bins=BINS, color=BAR)
    axes.set(xlabel="seconds", ylabel=f"{what}, logarithmic", yscale="log", title=f"{title}: durations of {what}")


def _pairs(figure, counted: Counted, title: str) -> None:
    """The most frequent classes against one another: of the clips with one, the share that has the other."""
    counts = counted.clips.class_counts()
    chosen = np.argsort(-counts, kind="stable")[:NAMED]
    chosen = chosen[counts[chosen] > 0]
    place = {int(index): number for number, index in enumerate(chosen)}
    shares = np.full((len(chosen), len(chosen)), np.nan)
    for a, b, both in zip(*counted.clips.pairs, strict=True):
        if a in place and b in place:
            shares[place[a], place[b]], shares[place[b], place[a]] = both / counts[a], both / counts[b]
    figure.set_size_inches(9, 8)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="viridis", vmin=0, vmax=1)
    names = [_short(counted.names[index]) for index in chosen]
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_title(f"{title}: of the clips with the row's class,\nthe share with the column's", fontsize=10)
    figure.colorbar(image, ax=axes)


def _missing(figure, classes: Sequence[dict], title: str) -> None:
    rows = sorted((row for row in classes if row.get("official")), key=lambda row: -row["missing"] / row["official"])
    axes = figure.subplots()
    shares = [100 * row["missing"] / row["official"] for row in rows[:NAMED]]
    _bars(axes, [row["display_name"] for row in rows[:NAMED]], shares, 8)
    axes.set(xlabel="% of the list's clips that are missing", title=f"{title}: classes that miss most")


def _bars(axes, names: Sequence[str], values: Sequence[float], size: float) -> None:
    """Bars from the left, the first one on top."""
    axes.barh(range(len(names)), values, color=BAR)
    axes.set_yticks(range(len(names)), [_short(name) for name in names], fontsize=size)
    axes.tick_params(axis="x", labelsize=8)
    axes.invert_yaxis()


def _short(name: str) -> str:
    """A name, cut where it is long; a dollar sign would begin a formula."""
    cut = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return cut.replace("$", r"\$")
