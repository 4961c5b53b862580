"""Finds the sound of a clip of AudioSet in a folder, however whoever fetched it named it.

    folder = ClipFolder("clips")
    folder.find("--PJHxphWEs", 30.0)    # clips/eval/audio/--PJHxphWEs_30000_40000.flac; "" where there is none

--PJHxphWEs_30000_40000.flac     audiosetdl: id, start and end in milliseconds (or in seconds)
--PJHxphWEs.wav                  the id alone
Y--PJHxphWEs.wav                 PANNs: Y and the id
"""

import os
from collections.abc import Iterable, Iterator

SOUNDS = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".snd", ".w64", ".caf")
OTHERS = (".opus", ".m4a", ".aac", ".wma", ".amr", ".ac3", ".webm", ".mka", ".mp4", ".mkv", ".mov", ".avi", ".3gp")
NO_SOUNDS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".md", ".log", ".npy", ".npz", ".part", ".tmp", ".ytdl", ".jpg")
NO_SOUNDS += (".png", ".webp", ".tfrecord", ".py", ".pdf", ".html", ".xml", ".zip", ".tar", ".gz")


class ClipFolder:
    """The files of a folder and of those in it, by what their names say.

    Args:
        path: the folder.
    """

    def __init__(self, path: str):
        self.path = path
        self.by_name: dict[str, str] = {}
        self.by_id: dict[str, list[tuple[float, str]]] = {}  # with the number that stands for the start
        for file in sorted(files_below(path), key=_rank):
            stem = os.path.splitext(os.path.basename(file))[0]
            self.by_name.setdefault(stem, file)
            for video_id, start in parts_of(stem):
                self.by_id.setdefault(video_id, []).append((start, file))

    def find(self, video_id: str, start: float) -> str:
        """The file of a clip that begins at `start` seconds; "" where there is none.

        What lies there as a sound goes before the sound of a video, and a start that fits before none.
        """
        timed = self.by_id.get(video_id, [])
        for wanted in (round(1000 * start), start):
            for found, file in timed:
                if abs(found - wanted) < 1e-3:
                    return file
        for name in (video_id, f"Y{video_id}"):
            if name in self.by_name:
                return self.by_name[name]
        return timed[0][1] if len({found for found, _ in timed}) == 1 else ""


def parts_of(stem: str) -> Iterator[tuple[str, float]]:
    """Splits a name ID_START_END into id and start; also with Y before the id. Ids may hold `_` themselves."""
    video_id, *times = stem.rsplit("_", 2)
    try:
        start, _ = map(float, times)
    except ValueError:
        return
    yield video_id, start
    if video_id.startswith("Y"):
        yield video_id[1:], start


def files_below(path: str) -> Iterator[str]:
    """All files that may be sounds below a folder, but for hidden ones."""
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        yield from (os.path.join(folder, name) for name in sorted(names) if may_be_sound(name))


def may_be_sound(name: str) -> bool:
    """Whether a name is not that of something else."""
    return not name.startswith(".") and not name.lower().endswith(NO_SOUNDS)


def known_sounds(names: Iterable[str]) -> list[str]:
    """Those of some names that end as sounds or videos do."""
    return [name for name in names if name.lower().endswith(SOUNDS + OTHERS)]


def _rank(file: str) -> tuple[int, str]:
    """Sounds go before videos, and those before what has no known ending."""
    suffix = os.path.splitext(file)[1].lower()
    order = SOUNDS + OTHERS
    return (order.index(suffix) if suffix in order else len(order)), file
