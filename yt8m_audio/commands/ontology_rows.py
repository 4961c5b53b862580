"""The lines of a tree of AudioSet's ontology: each node below another, with what is known of it.

for row in rows_below(ontology, "/m/0bt9lr", depth=None, class_ids=labels.ids, counts={}):
    print("  " * row.level + row.name)
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from yt8m_audio.audioset.ontology import Ontology

ABOVE = "see above"


@dataclasses.dataclass(frozen=True)
class NodeRow:
    """A node, as a line of the tree.

    Attributes:
        mid: its id.
        name: its display name.
        level: how many steps below the first one, 0 for that.
        index: of its class; None where it is none.
        clips: that have its class; None where nothing was counted.
        clips_with_below: that have its class or one below it.
        note: its restrictions, and whether it stands above already, where what is below it is.
    """

    mid: str
    name: str
    level: int
    index: int | None
    clips: int | None
    clips_with_below: int | None
    note: str

    def as_dict(self) -> dict:
        """Its attributes by name."""
        return dataclasses.asdict(self)


def rows_below(
    ontology: Ontology,
    top: str,
    depth: int | None,
    class_ids: Sequence[str],
    counts: Mapping[str, tuple[int, int]],
) -> list[NodeRow]:
    """The lines of a tree, from above.

    Args:
        ontology: the nodes.
        top: id of the first; all roots when empty.
        depth: how many levels below; all when None.
        class_ids: the classes' ids, by index.
        counts: clips of each node and with those below, by id; may be empty.
    """
    places = {mid: index for index, mid in enumerate(class_ids)}
    seen: set[str] = set()

    def below(mid: str, level: int) -> Iterator[NodeRow]:
        node, is_again = ontology.node(mid), mid in seen
        goes_on = not is_again and (depth is None or level < depth)
        if goes_on:
            seen.add(mid)
        notes = [*node.restrictions, *([] if mid in places else ["no class"])]
        notes += [ABOVE] if is_again and node.child_ids else []
        clips = counts.get(mid, (None, None))
        yield NodeRow(mid, node.name, level, places.get(mid), *clips, ", ".join(notes))
        for child in node.child_ids if goes_on else ():
            yield from below(child, level + 1)

    return [row for each in ([top] if top else ontology.roots) for row in below(each, 0)]
