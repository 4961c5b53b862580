"""Which classes `--labels` names, by index, by id such as /m/09x0r, or by display name.

chosen_classes('0,/m/04rlf,"Male speech, man speaking"', ids, names, num_classes=527)     # (0, 1, 137)
"""

from collections.abc import Sequence

from yt8m_audio.errors import UserError
from yt8m_audio.labels import LabelFinder


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
    found = LabelFinder(names, ids, num_classes).listed(labels, "--labels")
    if not found:
        raise UserError(f"--labels={labels} names no class: give indices, ids or names, such as 0,/m/04rlf,Dog.")
    return tuple(sorted(found))
