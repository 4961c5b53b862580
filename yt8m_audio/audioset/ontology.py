"""AudioSet's ontology: what its classes are kinds of (Gemmeke et al. 2017; github.com/audioset/ontology).

    ontology = read_ontology("ontology.json")
    [ontology.nodes[mid].name for mid in ontology.roots]      # ['Human sounds', 'Animal', 'Music', ...]
    ontology.descendants("/m/0jbk")                           # all that is below Animal
    ontology.paths(ontology.find("dog"))                      # (('/m/0jbk', '/m/068hy', '/m/0bt9lr'),): ways down to it

It is a graph and no tree: of its 632 nodes 38 lie right below several others. Not every node is a class of the data
set: some are abstract, there to gather others, and some blacklisted, which was said of classes too obscure to rate.
"""

import dataclasses
import graphlib
import json
from collections.abc import Mapping
from pathlib import Path

from yt8m_audio.errors import UserError, nearest

FILE_NAME = "ontology.json"
WHERE = "give --ontology=FILE; AudioSet's is https://raw.githubusercontent.com/audioset/ontology/master/ontology.json"


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the ontology.

    Attributes:
        mid: its id, such as /m/09x0r.
        name: display name, as AudioSet's label map has it.
        child_ids: ids of the nodes right below it, in the file's order.
        restrictions: "abstract", "blacklist", both or none.
    """

    mid: str
    name: str
    child_ids: tuple[str, ...]
    restrictions: tuple[str, ...]

    @property
    def is_leaf(self) -> bool:
        """Whether nothing lies below it."""
        return not self.child_ids


@dataclasses.dataclass(frozen=True)
class Ontology:
    """Nodes, and how they lie below one another.

    Attributes:
        path: the file they come from, for errors.
        nodes: by id, in the file's order.
        parents: ids of the nodes right above each, by id; none of a root.
        depths: how many steps each lies below the nearest root, by id; 0 for a root.
    """

    path: str
    nodes: Mapping[str, Node]
    parents: Mapping[str, tuple[str, ...]]
    depths: Mapping[str, int]

    @property
    def roots(self) -> tuple[str, ...]:
        """Ids of the nodes that lie below no other, in the file's order."""
        return tuple(mid for mid, above in self.parents.items() if not above)

    def node(self, mid: str) -> Node:
        """Returns the node of an id.

        Raises:
            UserError: if there is none.
        """
        if mid not in self.nodes:
            raise UserError(f"{mid} is no node of {self.path}.{nearest(mid, self.nodes)}")
        return self.nodes[mid]

    def descendants(self, mid: str) -> tuple[str, ...]:
        """Ids of all nodes below one, each once, the nearest first.

        Raises:
            UserError: if there is no node of that id.
        """
        found: dict[str, None] = {}
        level = dict.fromkeys(self.node(mid).child_ids)
        while level:
            found |= level
            below = (child for each in level for child in self.nodes[each].child_ids)
            level = {child: None for child in below if child not in found}
        return tuple(found)

    def ancestors(self, mid: str) -> tuple[str, ...]:
        """Ids of all nodes above one, each once, the nearest first.

        Raises:
            UserError: if there is no node of that id.
        """
        self.node(mid)
        steps = self._steps_up(mid)
        return tuple(each for each in steps if each != mid)

    def paths(self, mid: str) -> tuple[tuple[str, ...], ...]:
        """All ways down to a node from a root: ids, the root's first and its own last.

        Raises:
            UserError: if there is no node of that id.
        """
        self.node(mid)
        above = self.parents[mid]
        return tuple((*way, mid) for each in above for way in self.paths(each)) if above else ((mid,),)

    def distance(self, one: str, other: str) -> int | None:
        """Fewest steps up from one node and down to another; None where nothing lies above both.

        Raises:
            UserError: if there is no node of one of the ids.
        """
        up, down = (self._steps_up(self.node(each).mid) for each in (one, other))
        return min((up[each] + down[each] for each in up if each in down), default=None)

    def find(self, label: str, asked: str = "") -> str:
        """The id of the node that a name, in any case, or an id means.

        Args:
            label: the name or id.
            asked: what the error begins with.

        Raises:
            UserError: if it is none, or the name of several.
        """
        if label in self.nodes:
            return label
        found = [mid for mid, node in self.nodes.items() if label.casefold() in (node.name.casefold(), mid.casefold())]
        if len(found) == 1:
            return found[0]
        begin = f"{asked}: " if asked else ""
        if found:
            raise UserError(f"{begin}{label} is the name of the nodes {', '.join(found)}: give one of these ids.")
        near = nearest(label, (node.name for node in self.nodes.values()))
        raise UserError(f"{begin}{label} is no node of {self.path}.{near}")

    def _steps_up(self, mid: str) -> dict[str, int]:
        """How many steps each node lies above one, itself among them; the nearest first."""
        steps = {mid: 0}
        for each in (queue := [mid]):
            for above in self.parents[each]:
                if above not in steps:
                    steps[above] = steps[each] + 1
                    queue.append(above)
        return steps


def found_ontology(given: str, beside: str = "") -> str:
    """Returns the path of an ontology: the one that is given, or an ontology.json beside a file, or in this folder.

    Raises:
        UserError: if there is none.
    """
    places = [given] if given else [str(Path(beside).parent / FILE_NAME), FILE_NAME]
    for place in places:
        if Path(place).exists():
            return place
    if given:
        raise UserError(f"--ontology={given}: there is no such file.")
    if not beside:
        raise UserError(f"there is no {FILE_NAME} in this folder: {WHERE}.")
    raise UserError(f"there is no {FILE_NAME}, neither here nor beside {beside}: {WHERE}.")


def read_ontology(path: str) -> Ontology:
    """Reads AudioSet's `ontology.json`: a list of objects with `id`, `name`, `child_ids` and `restrictions`.

    Raises:
        UserError: if the file cannot be read or is none, an id stands there twice, or a child is unknown or
            above itself.
    """
    nodes: dict[str, Node] = {}
    for entry in _entries(path):
        node = _node(entry, path)
        if node.mid in nodes:
            raise UserError(f"{path} names the node {node.mid} ({node.name}) twice.")
        nodes[node.mid] = node
    parents = _parents(nodes, path)
    return Ontology(path, nodes, parents, _depths(parents, path))


def _entries(path: str) -> list:
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged, or no JSON: {error}. AudioSet's is ontology.json.") from error
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path} is no ontology: it must hold a list of nodes, as AudioSet's ontology.json does.")
    return entries


def _node(entry, path: str) -> Node:
    """A node, of what the file says of it."""
    try:
        mid, name = entry["id"], entry["name"]
        lists = entry["child_ids"], entry.get("restrictions", [])
    except (KeyError, TypeError, AttributeError):
        lists = mid = name = None
    if not _are_strings(mid, name) or not all(isinstance(each, list) and _are_strings(*each) for each in lists):
        raise UserError(f"{path} is no ontology: a node has id, name, child_ids; found {json.dumps(entry)[:80]}.")
    return Node(mid, name, *(tuple(dict.fromkeys(each)) for each in lists))


def _are_strings(*values) -> bool:
    return all(isinstance(each, str) for each in values)


def _parents(nodes: Mapping[str, Node], path: str) -> dict[str, tuple[str, ...]]:
    """The ids of the nodes right above each."""
    parents: dict[str, list[str]] = {mid: [] for mid in nodes}
    for node in nodes.values():
        for child in node.child_ids:
            if child not in nodes:
                raise UserError(f"{path}: {child}, a child of {node.mid} ({node.name}), is no node of the file.")
            parents[child].append(node.mid)
    return {mid: tuple(above) for mid, above in parents.items()}


def _depths(parents: Mapping[str, tuple[str, ...]], path: str) -> dict[str, int]:
    """How many steps each node lies below the nearest root."""
    depths: dict[str, int] = {}
    try:
        for mid in graphlib.TopologicalSorter(parents).static_order():  # what is above comes first
            depths[mid] = min((depths[above] + 1 for above in parents[mid]), default=0)
    except graphlib.CycleError as error:
        raise UserError(f"{path}: these nodes lie below themselves: {' > '.join(error.args[1])}.") from error
    return depths
