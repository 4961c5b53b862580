"""Which segments of YouTube-8M's records people rated, for which classes and how: read once, and kept in a CSV.

ratings = read_ratings("validate/*.tfrecord", label_cache="labels.csv")
ratings[7]["abcd:5"]                                                   # True

The cache is the starter code's (`id:start,class,score` a line) under a first line that says of which records it is; one
that the starter wrote has no such line, and is taken.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePath

from readers import open_clips
from readers.packed import is_packed
from readers.reader import NoSegmentsError
from yt8m_audio import files, records
from yt8m_audio.config import DataConfig
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.segment_metrics import Ratings
from yt8m_audio.run_directory import written_beside


def read_ratings(eval_data_pattern: str, label_cache: str = "") -> Ratings:
    """Reads the ratings of records, or of the cache where there is one; makes the cache where there is none.

    Args:
        eval_data_pattern: glob of the records; "" where the cache is there.
        label_cache: the CSV, or "".

    Raises:
        UserError: if records or cache cannot be read, no segment is rated, or the cache is of other records.
    """
    cache = Path(label_cache) if label_cache else None
    if cache and cache.exists():
        origin, ratings = read_cache(cache)
        if eval_data_pattern and origin:
            _check_origin(cache, origin, _origin(eval_data_pattern))
        return ratings
    if not eval_data_pattern:
        missing = f" and --label_cache={label_cache} is not there yet" if label_cache else ""
        raise UserError(f"--eval_data_pattern is missing{missing}: give a glob of the records with rated segments.")
    ratings = ratings_of_records(eval_data_pattern)
    if cache:
        write_cache(cache, ratings, _origin(eval_data_pattern))
    return ratings


def ratings_of_records(pattern: str) -> Ratings:
    """Reads the ratings that records hold: class -> segment (`id:start`) -> whether the class is true of it.

    Of two ratings of one segment for one class the later one counts.

    Raises:
        UserError: if the records cannot be read, or hold no rating.
    """
    try:
        clips = open_clips(pattern, "eval_data_pattern", DataConfig(segment_labels=True, frame_features=True))
    except NoSegmentsError as error:
        raise UserError(
            f"--eval_data_pattern={pattern} holds no rated segments: give YouTube-8M's frame-level "
            "records, such as 2019's validate split."
        ) from error
    ratings: dict[int, dict[str, bool]] = {}
    for rows in clips.parts():
        starts = rows.start_time[rows.labels.rows].astype(int).tolist()
        ids = rows.video_id[rows.labels.rows]
        for index, video_id, start, score in zip(rows.labels.values.tolist(), ids, starts, rows.scores, strict=True):
            segment = f"{video_id.decode(errors='replace')}:{start}"
            ratings.setdefault(index, {})[segment] = bool(score)
    if not ratings:
        raise UserError(
            f"--eval_data_pattern={pattern}: no segment is rated in the {len(clips.store):,} there are; give records "
            "with segment_labels, such as 2019's validate split."
        )
    return ratings


def write_cache(cache: Path, ratings: Ratings, origin: dict) -> None:
    """Writes the cache: whole or not at all.

    Raises:
        UserError: if it cannot be written.
    """
    lines = (
        f"{segment},{index},{float(is_true)}\n"
        for index, of_class in sorted(ratings.items())
        for segment, is_true in of_class.items()
    )
    try:
        with written_beside(cache) as partial, partial.open("w", encoding="utf-8") as file:
            file.write(f"# {json.dumps(origin)}\n")
            file.writelines(lines)
    except OSError as error:
        raise UserError(f"--label_cache={cache} cannot be written: {error.strerror}.") from error


def read_cache(cache: Path) -> tuple[dict, Ratings]:
    """Reads a cache: of which records it is, {} where it does not say, and the ratings.

    Raises:
        UserError: if it cannot be read, or a line is none of a cache.
    """
    origin, ratings = {}, {}
    for number, line in _lines(cache):
        try:
            if number == 1 and line.startswith("#"):
                origin = dict(json.loads(line[1:]))
            else:
                segment, index, score = line.rsplit(",", 2)
                ratings.setdefault(int(index), {})[segment] = float(score) > 0
        except (ValueError, TypeError):
            raise UserError(
                f"--label_cache={cache}, line {number}: {line[:80]!r} is no `id:start,class,score`: remove the file to "
                "have it made anew."
            ) from None
    if not ratings:
        raise UserError(f"--label_cache={cache} holds no rating: remove the file to have it made anew.")
    return origin, ratings


def _lines(cache: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, numbered from 1."""
    try:
        with cache.open(encoding="utf-8", errors="replace") as file:
            yield from ((number, line.strip()) for number, line in enumerate(file, start=1) if line.strip())
    except OSError as error:
        raise UserError(f"--label_cache={cache} cannot be read: {error.strerror}.") from error


def _origin(pattern: str) -> dict:
    """What tells records from others: names and lengths of their files, wherever they lie."""
    paths = records.find_shards(f"{pattern}/*" if is_packed(pattern) else pattern, "eval_data_pattern")
    names = sorted(f"{PurePath(path).name} {length}" for path, length in zip(paths, files.lengths(paths), strict=True))
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return {"eval_data_pattern": pattern, "files": len(paths), "sha256": digest}


def _check_origin(cache: Path, origin: dict, asked: dict) -> None:
    if origin.get("sha256") != asked["sha256"]:
        theirs, ours = (f"{each.get('eval_data_pattern')}, {each.get('files')} files" for each in (origin, asked))
        raise UserError(
            f"--label_cache={cache} is of other records ({theirs}) than --eval_data_pattern asks for ({ours}): name "
            "another cache, or remove it to have it made anew."
        )
