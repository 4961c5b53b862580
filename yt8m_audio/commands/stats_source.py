"""What `stats` counts: a list of segments, strong labels, or records, of which labels and ids alone are read."""

import dataclasses

import numpy as np

from yt8m_audio.audioset.clip_labels import ClipLabels, labels_of_events, labels_of_segments
from yt8m_audio.audioset.segments import is_segments_file
from yt8m_audio.audioset.strong_labels import is_strong_labels_file, read_strong_labels
from yt8m_audio.commands.segment_lists import classes_of, read_lists
from yt8m_audio.errors import UserError
from yt8m_audio.flags import quieten_tensorflow
from yt8m_audio.labels import LabelMap, label_map_for, read_label_map

SEGMENTS, EVENTS, CLIPS = "segments", "clips with events", "clips"


@dataclasses.dataclass(frozen=True)
class Counted:
    """What is counted.

    Attributes:
        kind: SEGMENTS, EVENTS or CLIPS.
        clips: their labels.
        names: of the classes.
        ids: of the classes; empty where they have none.
    """

    kind: str
    clips: ClipLabels
    names: tuple[str, ...]
    ids: tuple[str, ...]


def read_counted(source: str, label_map: str, num_classes: int | None, skip_corrupt_records: bool) -> Counted:
    """Reads what an argument names.

    Args:
        source: a CSV of segments, or several with commas between; a TSV of strong labels; or a glob of records.
        label_map: of the classes; AudioSet's own when empty.
        num_classes: of records, where neither they nor the label map tell.
        skip_corrupt_records: leave corrupt records out, rather than stop.

    Raises:
        UserError: if it cannot be read.
    """
    if is_segments_file(source):
        labels = classes_of(label_map)
        clips = labels_of_segments(read_lists(source, label_map), len(labels))
        return Counted(SEGMENTS, clips, labels.names, labels.ids)
    if is_strong_labels_file(source):
        events = read_strong_labels(source)
        return Counted(EVENTS, labels_of_events(events), _names(events.ids, classes_of(label_map)), events.ids)
    return _read_records(source, label_map, num_classes, skip_corrupt_records)


def _names(ids: tuple[str, ...], labels: LabelMap) -> tuple[str, ...]:
    """Display names by id; the id itself of a class that the map has not."""
    names = dict(zip(labels.ids, labels.names, strict=False))
    return tuple(names.get(each, each) for each in ids)


def _read_records(source: str, label_map: str, num_classes: int | None, skip_corrupt_records: bool) -> Counted:
    """The labels and ids of records, and no features."""
    quieten_tensorflow()
    import readers  # here, as TensorFlow's import takes seconds
    from yt8m_audio.config import DataConfig

    num_classes = len(read_label_map(label_map)) if label_map else num_classes
    data = DataConfig(num_classes=num_classes, skip_corrupt_records=skip_corrupt_records)
    try:
        found = readers.open_clips(source, "source", data)
    except UserError as error:  # the glob is an argument here, and no flag
        raise UserError(str(error).removeprefix("--source=")) from error
    described = found.described()
    for line in found.lost_lines(once=True):
        print(line)
    num_classes = found.data.num_classes
    values, counts = described.labels
    rows, start_ms = np.repeat(np.arange(len(counts)), counts), np.rint(described.start_time * 1000.0).astype(np.int64)
    clips = ClipLabels.of(described.video_id, start_ms, rows, values, num_classes)
    labels = label_map_for(label_map, num_classes)
    names = labels.names if labels else tuple(f"class {index}" for index in range(num_classes))
    return Counted(CLIPS, clips, names, labels.ids if labels else ())
