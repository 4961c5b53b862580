"""How long does a manifest of all of AudioSet's segments take to make and to ask, and in how much memory?

    python -m benchmarks clip_manifest

Each is beside what was allowed. A process of its own does the work, on a list with made ids in random order, which is
harder than AudioSet's own, sorted one; its memory is beside what a tenth of the rows takes.
"""

import base64
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Result
from yt8m_audio.audioset.clips.manifest import DONE, Clip, Manifest
from yt8m_audio.audioset.clips.segment import read_list

ROWS = 2_000_000
MAKE_LIMIT, STATUS_LIMIT = 60.0, 2.0  # seconds
GROWTH_LIMIT = 64  # MiB more than a tenth of the rows takes
MIB = 1 << 20


def results(rows: int = ROWS) -> list[Result]:
    """Milliseconds and MiB beside what was allowed; a ratio under 1 is within it."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (measured(count, Path(folder, str(count))) for count in (rows // 10, rows))
    return [
        Result(f"manifest: {rows:,} rows made", 1000 * many["made"], "ms", "allowed", 1000 * MAKE_LIMIT),
        Result("manifest: status", 1000 * many["status"], "ms", "allowed", 1000 * STATUS_LIMIT),
        Result("manifest: memory over that of a tenth", many["memory"] - few["memory"], "MiB", "allowed", GROWTH_LIMIT),
    ]


def measured(rows: int, folder: Path) -> dict[str, float]:
    """What a process of its own measures: seconds to make and to ask, and the most memory in MiB."""
    folder.mkdir()
    write_list(folder / "list.csv", rows)
    command = [sys.executable, "-m", "benchmarks.clip_manifest", str(folder)]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(("made", "status", "memory"), map(float, words), strict=True))


def write_list(path: Path, rows: int) -> None:
    """Writes a list of segments with random ids."""
    chance = random.Random(0)
    with path.open("w") as file:
        for _ in range(rows):
            video_id = base64.urlsafe_b64encode(chance.randbytes(9))[:11].decode()
            file.write(f'{video_id}, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n')


def main(folder: Path) -> None:
    """Makes a manifest and asks it, when some of its rows are done."""
    begun = time.perf_counter()
    with Manifest.create(folder / "manifest.sqlite") as manifest:
        manifest.add(read_list(str(folder / "list.csv")))
        made = time.perf_counter() - begun
        for _ in range(10):
            rows = manifest.due(time.time(), 1000)
            manifest.record([Clip(clip.segment, DONE, bytes=1_000_000) for clip in rows])
        begun = time.perf_counter()
        manifest.counts()
        status = time.perf_counter() - begun
    print(made, status, largest() / MIB)


def largest() -> int:
    """The most memory that this process has had resident, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(lines["VmHWM"].split()[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
