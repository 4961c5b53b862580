"""Which classes `--labels` names, by index, by id such as /m/09x0r, or by display name.

chosen_classes('0,/m/04rlf,"Male speech, man speaking"', ids, names, num_classes=527)     # (0, 1, 137)
"""

import csv
from collections.abc import Sequence

from yt8m_audio.errors import UserError, nearest


def chosen_classes(labels: str, ids: Sequence[str], names: Sequence[str], num_classes: int) -> tuple[int, ...]:
    """The classes of a list with commas between, a name with commas in double quotes; rising, each once.

    Args:
        labels: the list.
        ids: of all classes; empty where they have none.
        names: of all classes; empty where they have none.
        num_classes: C.

    Raises:
        UserError: if one is no class, or a name is that of several.
    """
    listed = next(csv.reader([labels], skipinitialspace=True), [])
    wanted = [each.strip() for each in listed if each.strip()]
    if not wanted:
        raise UserError(f"--labels={labels} names no class: give indices, ids or names, such as 0,/m/04rlf,Dog.")
    return tuple(sorted({_class_of(each, ids, names, num_classes) for each in wanted}))


def _class_of(label: str, ids: Sequence[str], names: Sequence[str], num_classes: int) -> int:
    if label.isdecimal() and int(label) < num_classes:
        return int(label)
    if label in ids:
        return ids.index(label)
    found = [number for number, name in enumerate(names) if name == label]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"--labels: {label} is the name of the classes {', '.join(map(str, found))}: give an index.")
    known = f"0 to {num_classes - 1}" + (", an id or a name" if names else "; they have no names without --label_map")
    raise UserError(f"--labels: {label} is no class: give {known}.{nearest(label, names)}")
