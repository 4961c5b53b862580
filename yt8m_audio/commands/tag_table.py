"""What is heard in a sound, as a table for a terminal of 80 columns: labels, and how they go on over time.

runs/demo/sounds/sound-001.wav  0:10
score  label                      0:00                                  0:10
0.970  Ringtone                   ▁▁▃▆██████████████████▇▅▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
"""

import sys

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yt8m_audio.audio.spectrogram_picture import clock
from yt8m_audio.commands.tagged_sound import TaggedSound

PAGE = 80  # columns, also where the output is no terminal
SCORE, LONGEST_NAME, GAPS = 5, 28, 8  # columns of a row beside the bars
BARS, DIGITS = " ▁▂▃▄▅▆▇█", "0123456789"  # the latter where the terminal has no such letters


def show(sound: TaggedSound) -> None:
    """Prints the table."""
    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else PAGE, highlight=False)
    console.print(f"[bold]{escape(sound.file)}[/]  {clock(sound.seconds)}", soft_wrap=True)
    for warning in sound.warnings:
        console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
    if not sound.best:
        console.print("  no label reaches the threshold")
        return
    scores = sound.tagged.scores_by(sound.rank)
    names = [_short(sound.model.name_of(each)) for each in sound.best]
    width = min(console.width, PAGE) - SCORE - max(map(len, names)) - GAPS
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("score" if sound.rank == "mean" else "peak", justify="right", no_wrap=True)
    table.add_column("label", no_wrap=True)
    begin, end = clock(0), clock(sound.seconds)
    table.add_column(begin + end.rjust(width - len(begin)), no_wrap=True, style="cyan")
    for number, name in zip(sound.best, names, strict=True):
        table.add_row(f"{scores[number]:.3f}", escape(name), bars(sound, number, width))
    console.print(table)


def bars(sound: TaggedSound, number: int, width: int) -> str:
    """A class's scores over time, a letter each, the highest of the time that it stands for."""
    scores = seen_in(sound.tagged.over_time[:, number], sound.tagged.edges(sound.seconds), sound.seconds, width)
    try:
        BARS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        letters = DIGITS
    else:
        letters = BARS
    places = np.minimum((scores * len(letters)).astype(int), len(letters) - 1)
    return "".join(letters[each] for each in places)


def seen_in(scores: np.ndarray, edges: np.ndarray, seconds: float, width: int) -> np.ndarray:
    """The highest of scores [columns] with edges [columns + 1] in each of `width` equal parts of a sound, [width]."""
    bounds = np.arange(width + 1) * seconds / width
    first = np.clip(np.searchsorted(edges, bounds[:-1], "right") - 1, 0, len(scores) - 1)
    last = np.clip(np.searchsorted(edges, bounds[1:], "left"), first + 1, len(scores))
    return np.array([scores[begin:end].max() for begin, end in zip(first, last, strict=True)])


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1].rstrip(" ,") + "…"
