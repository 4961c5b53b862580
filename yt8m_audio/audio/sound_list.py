"""The sounds that a command line asks for: files, folders, globs, a CSV of files, AudioSet's segments with their clips.

sounds = listed("recordings/", labels="labels.csv")
sounds = listed("sounds.csv")                               # a row a sound: file, labels, start, end
sounds = listed("eval_segments.csv", clips="eval/audio")    # the clips of AudioSet, by id
sounds[0].row.labels, sounds[0].sound.path
"""

import dataclasses
import glob
import os
from collections import Counter
from collections.abc import Sequence

from yt8m_audio.audio.clip_folder import ClipFolder, files_below, known_sounds, parts_of
from yt8m_audio.audio.sound_frames import Sound
from yt8m_audio.clip_rows import ClipRow, read_sounds
from yt8m_audio.errors import UserError

WANTED = "give files, a folder, a glob in quotes, or a CSV with the column file"


@dataclasses.dataclass(frozen=True)
class Listed:
    """A sound, its labels still to be looked up, and what the CSV says of it.

    Attributes:
        sound: without labels.
        row: with labels as they are written; of a file that no CSV names, one without.
    """

    sound: Sound
    row: ClipRow


def listed(inputs: str, *, clips: str = "", labels: str = "", has_arrays: bool = False) -> list[Listed]:
    """Lists sounds, each with an id of its own.

    Args:
        inputs: a CSV, or files, folders and globs with commas between.
        clips: folder with the clips of a CSV that names ids, or that the files of a CSV are relative to.
        labels: CSV with labels of files.
        has_arrays: whether no sound is wanted, as its frames are there.

    Raises:
        UserError: if there is nothing of that kind, or a CSV is wrong.
    """
    if inputs.lower().endswith(".csv"):
        if labels:
            raise UserError(f"--labels={labels}: {inputs} is a CSV, and says itself what labels there are.")
        return _of_csv(inputs, clips, has_arrays)
    if clips:
        raise UserError(f"--clips={clips} is the folder of a CSV's clips, and {inputs} is no CSV.")
    return _of_files(found_files(inputs), labels)


# Files


def found_files(inputs: str) -> dict[str, str]:
    """The files that are asked for, sorted: path -> path relative to the folder that was given.

    Raises:
        UserError: if a part matches nothing, or only what is no sound by its name.
    """
    found: dict[str, str] = {}
    for part in [inputs] if os.path.exists(inputs) else filter(None, map(str.strip, inputs.split(","))):
        if os.path.isdir(part):
            paths = known_sounds(files_below(part))
            found |= {path: os.path.relpath(path, part) for path in paths}
        else:
            paths = [part] if os.path.isfile(part) else sorted(filter(os.path.isfile, glob.glob(part, recursive=True)))
            found |= {path: os.path.basename(path) for path in paths}
        if not paths:
            what = "holds no sound file" if os.path.isdir(part) else "matches no file"
            raise UserError(f"{part} {what}: {WANTED}.")
    if not found:
        raise UserError(f"'{inputs}' names no sound: {WANTED}.")
    return dict(sorted(found.items()))


def _of_files(files: dict[str, str], labels: str) -> list[Listed]:
    """The sounds of files, with the labels that a CSV has for them."""
    ids = distinct_ids(list(files.values()))
    rows = _rows_by_name(read_sounds(labels)) if labels else {}
    found = []
    for (path, relative), video_id in zip(files.items(), ids, strict=True):
        row = next((rows[name] for name in names_of(relative) if name in rows), None)
        if row is None:
            found.append(Listed(Sound(video_id, path), ClipRow(path, 1, video_id, (), 0.0, None)))
        else:
            sound = Sound(row.video_id or video_id, path, (), row.start, row.end, is_cut=True)
            found.append(Listed(sound, row))
    if labels and not any(each.row.labels for each in found):
        some = f"its first row is of '{next(iter(rows))}', the first file is {next(iter(files))}"
        raise UserError(f"--labels={labels} has a label for none of the {len(files):,} files: {some}.")
    return found


def names_of(path: str) -> list[str]:
    """What a CSV may call a file, the longest name first."""
    name = os.path.basename(path)
    stem = os.path.splitext(name)[0]
    ids = [video_id for video_id, _ in parts_of(stem)]
    return [path.replace(os.sep, "/"), name, stem, *ids, stem.removeprefix("Y")]


def _rows_by_name(rows: Sequence[ClipRow]) -> dict[str, ClipRow]:
    """Rows by file or id, and by the file's name alone where that leaves no doubt."""
    named = {row.sound.replace(os.sep, "/") or row.video_id: row for row in rows}
    short = Counter(os.path.basename(name) for name in named)
    return {os.path.basename(name): row for name, row in named.items() if short[os.path.basename(name)] == 1} | named


def distinct_ids(paths: Sequence[str]) -> list[str]:
    """An id for each file: its name without the ending; with its folder, or the ending too, where ids would be one."""
    without = [os.path.splitext(path)[0].replace(os.sep, "/") for path in paths]
    for ids in ([os.path.basename(each) for each in without], without):
        if len(set(ids)) == len(ids):
            return ids
    return [path.replace(os.sep, "/") for path in paths]


# CSVs


def _of_csv(path: str, clips: str, has_arrays: bool) -> list[Listed]:
    """The sounds of a CSV's rows."""
    rows = read_sounds(path)
    if clips and not os.path.isdir(clips):
        raise UserError(f"--clips={clips} is no folder: give the one that the clips of {path} lie in.")
    if any(row.sound for row in rows):
        names = [row.video_id for row in rows] if all(row.video_id for row in rows) else _ids_of_rows(rows)
        files = [_placed(row.sound, clips or os.path.dirname(path)) for row in rows]
        if not any(map(os.path.exists, files)):
            raise UserError(
                f"None of the {len(rows):,} files of {path} is there, the first of them {files[0]}: --clips=FOLDER "
                "says where they lie."
            )
        each = zip(names, files, rows, strict=True)
        return [Listed(Sound(name, file, (), row.start, row.end), row) for name, file, row in each]
    if not clips and not has_arrays:
        raise UserError(f"{path} names clips by id: give --clips=FOLDER, where they lie, or a column file.")
    folder = ClipFolder(clips) if clips else None
    found = [folder.find(row.video_id, row.start) if folder else "" for row in rows]
    if folder and not any(found):
        first = rows[0].video_id
        raise UserError(
            f"--clips={clips} holds none of the {len(rows):,} clips of {path}: the first would be called "
            f"{first}_{round(1000 * rows[0].start)}_END, {first} or Y{first}, with any ending."
        )
    pairs = zip(rows, found, strict=True)
    return [Listed(Sound(row.video_id, file, (), row.start, row.end, is_cut=True), row) for row, file in pairs]


def _ids_of_rows(rows: Sequence[ClipRow]) -> list[str]:
    """Ids of rows that lack some: the file's, with where the row begins, in milliseconds, where it has several."""
    files = sorted({row.sound for row in rows})
    ids = dict(zip(files, distinct_ids(files), strict=True))
    count = Counter(row.sound for row in rows)
    names = [
        row.video_id or ids[row.sound] + (f"_{round(1000 * row.start)}" if count[row.sound] > 1 else "") for row in rows
    ]
    seen: dict[str, int] = {}
    for name, row in zip(names, rows, strict=True):
        if seen.setdefault(name, row.line) != row.line:
            raise UserError(f"{row.place}: line {seen[name]} is the same sound already: give a column video_id.")
    return names


def _placed(path: str, base: str) -> str:
    """A file of a CSV: relative to its folder, or to where the command is run if it is not there."""
    beside = os.path.join(base, path)
    return path if not os.path.exists(beside) and os.path.exists(path) else beside
