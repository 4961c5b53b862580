"""Machine ids of classes, such as /m/09x0r for Speech, which AudioSet's files name classes by."""

from yt8m_audio.errors import UserError
from yt8m_audio.labels import label_map_for


def class_ids_for(path: str, num_classes: int) -> tuple[str, ...]:
    """Returns the ids in a label map by class index, or none; without a map those of AudioSet's 527 classes.

    Args:
        path: a label map that `yt8m_audio.labels.label_map_for` takes, or "".
        num_classes: C.

    Raises:
        UserError: as `label_map_for` does.
    """
    labels = label_map_for(path, num_classes)
    return labels.ids if labels else ()


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
