"""Small lists in AudioSet's formats, for tests of the commands that take them."""

import json
from pathlib import Path

CLASSES = {"/m/animal": "Animal", "/m/dog": "Dog", "/m/bark": "Bark", "/m/music": "Music", "/m/bang": "Bang, thump"}
BELOW = {"/m/all": ["/m/animal", "/m/bang"], "/m/animal": ["/m/dog"], "/m/dog": ["/m/bark"], "/m/music": ["/m/bark"]}
SEGMENTS = {
    "a": (0, 10, ["/m/dog"]),
    "b": (0, 10, ["/m/bark", "/m/music"]),
    "c": (30, 35.5, ["/m/music"]),
    "d": (0, 10, ["/m/animal", "/m/dog", "/m/bark"]),
    "-e": (0.5, 10, ["/m/bang"]),
}


def write_lists(folder: Path, segments: dict = SEGMENTS) -> str:
    """Writes map.csv, ontology.json and s.csv; returns the path of the last one."""
    rows = [f'{index},{mid},"{name}"\n' for index, (mid, name) in enumerate(CLASSES.items())]
    (folder / "map.csv").write_text("index,mid,display_name\n" + "".join(rows))
    nodes = {"/m/all": "All sounds", **CLASSES}
    abstract = {"/m/all": ["abstract"]}
    entries = [
        {"id": mid, "name": name, "child_ids": BELOW.get(mid, []), "restrictions": abstract.get(mid, [])}
        for mid, name in nodes.items()
    ]
    (folder / "ontology.json").write_text(json.dumps(entries))
    lines = [
        f'{name}, {start:.3f}, {end:.3f}, "{",".join(labels)}"\n' for name, (start, end, labels) in segments.items()
    ]
    (folder / "s.csv").write_text("# Segments\n# num\n# YTID, start_seconds, end_seconds, labels\n" + "".join(lines))
    return str(folder / "s.csv")


def ids_in(path: Path) -> list[str]:
    """The ids of a list's rows, in order."""
    return [line.partition(",")[0] for line in path.read_text().splitlines() if not line.startswith("#")]
