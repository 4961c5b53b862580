"""Lists of AudioSet's segments as commands take them: one or several, of the classes of a map, with an ontology."""

import glob
import os

from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.audioset.ontology import Ontology, found_ontology, read_ontology
from yt8m_audio.audioset.segment_files import joined
from yt8m_audio.audioset.segments import Segments, is_segments_file, read_segments
from yt8m_audio.errors import UserError
from yt8m_audio.labels import AUDIOSET_LABEL_MAP, LabelMap, read_label_map


def classes_of(label_map: str) -> LabelMap:
    """The classes of --label_map; AudioSet's own where none is given."""
    return read_label_map(label_map or str(AUDIOSET_LABEL_MAP))


def list_paths(text: str) -> list[str]:
    """The files that an argument names: a path or glob, or several with commas between.

    Raises:
        UserError: if there are none, or one has not the name of a list.
    """
    parts = [text] if os.path.exists(text) else [each.strip() for each in text.split(",") if each.strip()]
    paths = [path for part in parts for path in ([part] if os.path.exists(part) else sorted(glob.glob(part)) or [part])]
    for path in paths:
        if not is_segments_file(path):
            raise UserError(f"{path} is no list of segments: these are CSVs, such as balanced_train_segments.csv.")
    if not paths:
        raise UserError("no list of segments is named: give a CSV, such as balanced_train_segments.csv.")
    return paths


def read_lists(text: str, label_map: str, flag: str = "") -> Segments:
    """Reads the lists that an argument names as one.

    Raises:
        UserError: as `read_segments` does.
    """
    ids = class_ids_for(label_map, len(classes_of(label_map)))
    return joined([read_segments(path, ids, flag) for path in list_paths(text)])


def ontology_beside(given: str, lists: str) -> Ontology:
    """Reads the ontology of --ontology; the one beside the lists, or in this folder, where none is given.

    Raises:
        UserError: if there is none.
    """
    return read_ontology(found_ontology(given, next(iter(lists.split(",")), "")))


def with_below(mid: str, ids: tuple[str, ...], ontology: Ontology) -> list[int]:
    """The classes of a node and of all that the ontology has below it, rising.

    Raises:
        UserError: if there is no such node.
    """
    places = {each: index for index, each in enumerate(ids)}
    return sorted(places[each] for each in (mid, *ontology.descendants(mid)) if each in places)
