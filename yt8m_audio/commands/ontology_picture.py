"""A picture of a tree of AudioSet's ontology: a line a node, with a bar for its clips and those of what is below."""

from collections.abc import Sequence
from pathlib import Path

from yt8m_audio.commands.ontology_rows import NodeRow
from yt8m_audio.errors import UserError
from yt8m_audio.run_directory import written_beside

ROW_INCHES, WIDTH_INCHES, HEAD_INCHES = 0.24, 9.0, 0.9
STEP, BAR_FROM = 0.025, 0.62  # of the width: a level's indent, and where the bars begin
LINE, BAR, CLASS, NO_CLASS = "#b0b7c0", "#4c78a8", "#1f2328", "#8a9099"


def draw(rows: Sequence[NodeRow], title: str, source: str, path: str) -> None:
    """Draws a tree.

    Args:
        rows: of the tree, from above.
        title: of the picture.
        source: where the clips were counted, or "".
        path: PNG file.

    Raises:
        UserError: if matplotlib is missing, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("--plot needs matplotlib: pip install 'yt8m-audio[report]'.") from error
    if not path.lower().endswith(".png"):
        raise UserError(f"--plot={path} must be a .png file.")
    height = HEAD_INCHES + ROW_INCHES * len(rows)
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=110)
    axes = figure.add_axes((0.02, 0.0, 0.96, 1 - 0.6 / height))
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.3, -0.8))
    axes.axis("off")
    figure.text(0.02, 1 - 0.3 / height, title, fontsize=13, weight="bold", va="center")
    _draw_lines(axes, rows)
    _draw_bars(axes, rows)
    if rows[0].clips is not None:
        said = f"clips with the class or one below it, in {', '.join(Path(each).name for each in source.split(','))}"
        figure.text(0.98, 1 - 0.3 / height, said, fontsize=8.5, color=NO_CLASS, ha="right", va="center")
    try:
        with written_beside(Path(path)) as partial:
            figure.savefig(partial)
    except OSError as error:
        raise UserError(f"--plot={path} cannot be written: {error.strerror}.") from error


def _draw_lines(axes, rows: Sequence[NodeRow]) -> None:
    """Names, and the lines that lead down to them."""
    last: dict[int, int] = {}  # level -> the row that stands there last
    for place, row in enumerate(rows):
        left = 0.01 + STEP * row.level
        if row.level:
            across = [left - STEP * 0.6, left - STEP * 0.6, left - 0.004]
            axes.plot(across, [last[row.level - 1] + 0.4, place, place], color=LINE, lw=1)
        last[row.level] = place
        note = f"  ({row.note})" if row.note else ""
        color = NO_CLASS if row.index is None else CLASS
        axes.text(left, place, row.name + note, fontsize=9, color=color, va="center", parse_math=False)


def _draw_bars(axes, rows: Sequence[NodeRow]) -> None:
    """Bars as long as the clips with a class or one below are many."""
    counts = [row.clips_with_below or 0 for row in rows]
    longest = max(counts, default=0)
    if rows[0].clips is None or not longest:
        return
    for place, count in enumerate(counts):
        width = (0.92 - BAR_FROM) * count / longest
        axes.barh(place, width, height=0.6, left=BAR_FROM, color=BAR)
        axes.text(BAR_FROM + width + 0.006, place, f"{count:,}", fontsize=8, va="center", color=CLASS)
