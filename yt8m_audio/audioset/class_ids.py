"""Machine ids of classes, such as /m/09x0r for Speech, which AudioSet's files name classes by."""

import pandas as pd

from yt8m_audio.errors import UserError
from yt8m_audio.labels import AUDIOSET_CLASSES, AUDIOSET_LABEL_MAP

COLUMNS = (("index", "mid"), ("Index", "KnowledgeGraphId"))  # AudioSet's spelling, YouTube-8M's


def class_ids_for(path: str, num_classes: int) -> tuple[str, ...]:
    """Returns the ids in a label map by class index, or none; without a map those of AudioSet's 527 classes.

    Args:
        path: a label map that `yt8m_audio.labels.label_map_for` takes, or "".
        num_classes: C.
    """
    if not path and num_classes != AUDIOSET_CLASSES:
        return ()
    table = pd.read_csv(path or AUDIOSET_LABEL_MAP, dtype=str, keep_default_na=False)
    for index, identifier in COLUMNS:
        if {index, identifier} <= set(table.columns):
            return tuple(table[identifier].iloc[table[index].astype(int).argsort()])
    return ()


def places_of(ids: tuple[str, ...], flag: str, path: str) -> dict[str, int]:
    """Returns class indices by id.

    Raises:
        UserError: if there are no ids.
    """
    if not ids:
        raise UserError(
            f"--{flag}={path} names classes by ids such as /m/09x0r, which the classes at hand do not have: give a "
            "--label_map with the columns index, mid and display_name."
        )
    return {identifier: index for index, identifier in enumerate(ids)}
