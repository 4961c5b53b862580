"""How fast AudioSet's lists are read and divided, beside pandas' C parser on the raw cells of the same file."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import Result, alternately
from yt8m_audio.audioset.segments import read_segments
from yt8m_audio.audioset.stratification import stratified
from yt8m_audio.labels import AUDIOSET_CLASSES, label_map_for

SEGMENTS = 2_041_789  # as many as AudioSet's unbalanced list has
CHARACTERS = np.array([*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"], np.uint8)
LABELS_A_CLIP = (0.25, 0.4, 0.2, 0.1, 0.05)  # shares of clips with 1, 2, ... labels
LIMIT = "pandas' C parser, the raw cells"
PARTS, ROUNDS = [0.8, 0.1, 0.1], 2


def results() -> list[Result]:
    """Segments a second, read from a list as long as AudioSet's longest, and divided into three parts."""
    ids = label_map_for("", AUDIOSET_CLASSES).ids
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "segments.csv"))
        write_list(path, ids)
        segments = read_segments(path, ids, "")
        works = (
            lambda: len(read_segments(path, ids, "")),
            lambda: len(stratified(segments, PARTS, seed=0)),
            lambda: len(pd.read_csv(path, header=None, comment="#", dtype=str, skipinitialspace=True)),
        )
        read, divided, limit = alternately(*works, rounds=ROUNDS)
    return [
        Result(f"{what} a list of {SEGMENTS:,} segments", value, "segments/s", LIMIT, limit)
        for what, value in (("reading", read), ("dividing", divided))
    ]


def write_list(path: str, ids: tuple[str, ...]) -> None:
    """Writes a list of segments with labels as unevenly frequent as AudioSet's."""
    random = np.random.default_rng(0)
    video_ids = CHARACTERS[random.integers(0, len(CHARACTERS), (SEGMENTS, 11))].view("S11").ravel()
    counts = random.choice(len(LABELS_A_CLIP), SEGMENTS, p=LABELS_A_CLIP) + 1
    frequencies = 1 / np.arange(1, len(ids) + 1)
    labels = np.array(ids)[random.choice(len(ids), counts.sum(), p=frequencies / frequencies.sum())].tolist()
    starts, stops = random.integers(0, 600, SEGMENTS).tolist(), np.cumsum(counts).tolist()
    with open(path, "w", encoding="utf-8") as file:
        file.write("# Segments csv\n# made for a benchmark\n# YTID, start_seconds, end_seconds, positive_labels\n")
        for video_id, start, begin, stop in zip(video_ids.tolist(), starts, [0, *stops[:-1]], stops, strict=True):
            listed = ",".join(dict.fromkeys(labels[begin:stop]))
            file.write(f'{video_id.decode()}, {start}.000, {start + 10}.000, "{listed}"\n')
