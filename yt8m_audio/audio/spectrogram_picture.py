"""A picture of a sound and of what is heard in it: its spectrogram, and below it the scores of labels over time.

    draw_picture(Path("door.png"), "door.wav", spectrogram, LabelsOverTime(names, scores, starts))

A PNG of 1200 x 800 pixels. matplotlib is asked for the figure alone: no display is needed, and no state of pyplot's is
touched.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.audio.mel_bands import MEL_BANDS, MEL_HIGHEST, MEL_LOWEST, SAMPLE_RATE, mel_scale
from yt8m_audio.audio.spectrogram import Spectrogram
from yt8m_audio.errors import UserError

INCHES, DOTS_PER_INCH = (12, 8), 100
TICKS = (125, 250, 500, 1_000, 2_000, 4_000, 7_500)  # Hz, of sound at 16 kHz
MINUTES_FROM = 180  # seconds from which times are shown as 3:20
LONGEST_NAME = 32  # letters of a label
QUIETEST = -4.5  # of a logarithm of a band: digital silence is -4.605
COLORS, SCORE_COLORS = "magma", "Blues"


@dataclasses.dataclass(frozen=True)
class LabelsOverTime:
    """Scores of some labels.

    Attributes:
        names: of the labels, best first.
        scores: float32 [labels, columns], in [0, 1].
        edges: float [columns + 1], seconds at which columns begin, and the last one ends.
        whole: float32 [labels], by which they are ranked.
    """

    names: Sequence[str]
    scores: np.ndarray
    edges: np.ndarray
    whole: np.ndarray


def draw_picture(path: Path, title: str, spectrogram: Spectrogram, labels: LabelsOverTime) -> None:
    """Writes the picture.

    Args:
        path: of the PNG.
        title: what stands above.
        spectrogram: of the whole sound.
        labels: at least one.

    Raises:
        UserError: if matplotlib is not installed.
    """
    figure = _figure()
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.15, 1))
    figure.suptitle(_short(title, 100), fontsize=15)
    _draw_spectrogram(figure, above, spectrogram)
    _draw_labels(figure, below, labels)
    _mark_times(below, float(labels.edges[-1]))
    figure.savefig(path, format="png")


def check_drawable() -> None:
    """Raises a UserError where matplotlib is not installed: better before hours of sound than behind them."""
    _figure()


def _figure():
    """An empty figure of the size, that draws to memory."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("--picture needs matplotlib: pip install 'yt8m-audio[report]'.") from None
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_spectrogram(figure, axes, spectrogram: Spectrogram) -> None:
    """Draws the bands, low ones below."""
    bands = spectrogram.bands()  # [columns, 64]
    end = len(bands) * spectrogram.column_seconds
    image = axes.imshow(
        bands.T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=COLORS,
        extent=(0, end, 0, MEL_BANDS),
        vmin=QUIETEST,
        vmax=max(QUIETEST + 1, float(bands.max(initial=QUIETEST))),
    )
    axes.set_facecolor(image.cmap(0))  # behind the last whole frame
    factor = spectrogram.sample_rate / SAMPLE_RATE
    axes.set_yticks([_band_of(each) for each in TICKS], [_hertz(each * factor) for each in TICKS])
    axes.set_ylabel("frequency")
    figure.colorbar(image, ax=axes, label="log-mel energy", pad=0.01, fraction=0.03)


def _draw_labels(figure, axes, labels: LabelsOverTime) -> None:
    """Draws a row a label, the best above."""
    rows = np.arange(len(labels.names) + 1)
    mesh = axes.pcolormesh(labels.edges, rows, labels.scores, cmap=SCORE_COLORS, vmin=0, vmax=1)
    named = [f"{_short(name)}  {score:.2f}" for name, score in zip(labels.names, labels.whole, strict=True)]
    axes.set_yticks(rows[:-1] + 0.5, named)
    axes.hlines(rows[1:-1], 0, 1, transform=axes.get_yaxis_transform(), color="0.85", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_ylabel("label and its score")
    figure.colorbar(mesh, ax=axes, label="score", pad=0.01, fraction=0.03)


def _mark_times(axes, seconds: float) -> None:
    """Names the times, in seconds or in minutes."""
    axes.set_xlim(0, seconds)
    axes.set_xlabel("time in seconds")
    if seconds >= MINUTES_FROM:
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 1.5, 3, 6, 10], integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))
        axes.set_xlabel("time")


def clock(seconds: float) -> str:
    """Seconds as 3:20, or 1:03:20."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _band_of(hertz: float) -> float:
    """Where a frequency lies among the bands, 0 to 64."""
    lowest, highest = mel_scale(MEL_LOWEST), mel_scale(MEL_HIGHEST)
    return float((mel_scale(hertz) - lowest) / (highest - lowest) * MEL_BANDS)


def _hertz(value: float) -> str:
    """A frequency with its unit."""
    return f"{value / 1000:g} kHz" if value >= 1000 else f"{value:g} Hz"


def _short(text: str, length: int = LONGEST_NAME) -> str:
    """A text that fits, and that matplotlib takes for no formula."""
    text = text if len(text) <= length else text[: length - 1].rstrip(" ,") + "…"
    return text.replace("$", r"\$")
