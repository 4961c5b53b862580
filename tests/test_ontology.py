"""AudioSet's ontology: the real one, small ones by hand, and files that are none."""

import json

import pandas as pd
import pytest

from yt8m_audio.audioset.ontology import read_ontology
from yt8m_audio.errors import UserError
from yt8m_audio.labels import AUDIOSET_LABEL_MAP


@pytest.fixture
def written(tmp_path):
    """Writes an ontology: id -> ids of the children; gives its path."""

    def write(children: dict[str, list[str]], **restrictions) -> str:
        entries = [
            {"id": mid, "name": mid.upper(), "child_ids": below, "restrictions": restrictions.get(mid, [])}
            for mid, below in children.items()
        ]
        path = tmp_path / "ontology.json"
        path.write_text(json.dumps(entries))
        return str(path)

    return write


@pytest.fixture(scope="module")
def real(audioset):
    return read_ontology(str(audioset / "metadata" / "ontology.json"))


def test_the_released_one(real):
    assert len(real.nodes) == 632
    assert [real.nodes[mid].name for mid in real.roots][:3] == ["Human sounds", "Animal", "Music"]
    assert len(real.roots) == 7
    assert sum(len(above) > 1 for above in real.parents.values()) == 38
    assert max(real.depths.values()) == 5
    assert sum("abstract" in node.restrictions for node in real.nodes.values()) == 23


def test_all_classes_of_the_data_set_are_in_the_released_one(real):
    classes = pd.read_csv(AUDIOSET_LABEL_MAP)
    nodes = [real.node(mid) for mid in classes["mid"]]
    assert [node.name for node in nodes] == classes["display_name"].tolist()
    assert sum(node.is_leaf for node in nodes) == 401
    assert len({*real.roots, *(mid for root in real.roots for mid in real.descendants(root))}) == 632


def test_what_lies_below_a_node_of_the_released_one(real):
    guitar = next(node for node in real.nodes.values() if node.name == "Guitar")
    names = {real.nodes[mid].name for mid in real.descendants(guitar.mid)}
    assert {"Electric guitar", "Bass guitar", "Tapping (guitar technique)"} < names
    assert "Guitar" not in names


def test_a_node_with_several_parents_counts_once_and_lies_below_the_nearest_root(written):
    ontology = read_ontology(written({"a": ["b", "c"], "b": ["d"], "c": ["d", "e"], "d": ["f"], "e": ["f"], "f": []}))
    assert ontology.roots == ("a",)
    assert ontology.parents["d"] == ("b", "c")
    assert ontology.descendants("a") == ("b", "c", "d", "e", "f")
    assert ontology.descendants("f") == ()
    assert ontology.depths == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 2, "f": 3}


def test_depth_is_the_shortest_way_down(written):
    ontology = read_ontology(written({"r": ["s"], "s": ["t"], "t": ["x"], "q": ["x"], "x": []}))
    assert ontology.roots == ("r", "q")
    assert ontology.depths["x"] == 1


def test_restrictions_and_leaves(written):
    ontology = read_ontology(written({"a": ["b"], "b": []}, a=["abstract"], b=["blacklist", "abstract"]))
    assert ontology.nodes["a"].restrictions == ("abstract",)
    assert ontology.nodes["b"].restrictions == ("blacklist", "abstract")
    assert (ontology.nodes["a"].is_leaf, ontology.nodes["b"].is_leaf) == (False, True)


def test_an_id_that_is_no_node(written):
    ontology = read_ontology(written({"/m/09x0r": [], "/m/04rlf": []}))
    with pytest.raises(UserError, match=r"^/m/09x0 is no node of .*ontology.json. Did you mean /m/09x0r\?$"):
        ontology.descendants("/m/09x0")


@pytest.mark.parametrize(
    ("children", "said"),
    [
        ({"a": ["b", "z"], "b": []}, r"z, a child of a \(A\), is no node of the file"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "these nodes lie below themselves: (b > c > b|c > b > c)"),
        ({"a": ["a"]}, "these nodes lie below themselves: a > a"),
    ],
)
def test_nodes_that_do_not_fit_together(children, said, written):
    with pytest.raises(UserError, match=said):
        read_ontology(written(children))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is damaged, or no JSON"),
        ('[{"id": "a"', "is damaged, or no JSON"),
        ("[" * 100_000, "is damaged, or no JSON"),
        (b"\xff\xfe", "is damaged, or no JSON"),
        ("{}", "must hold a list of nodes"),
        ("[]", "must hold a list of nodes"),
        ('["a"]', 'found "a"'),
        ('[{"id": "a", "name": "A"}]', "a node has id, name, child_ids"),
        ('[{"id": "a", "name": "A", "child_ids": "b"}]', "a node has id"),
        ('[{"id": "a", "name": "A", "child_ids": [["b"]]}]', "a node has id"),
        ('[{"id": 3, "name": "A", "child_ids": []}]', "a node has id"),
        ('[{"id": "a", "name": "A", "child_ids": []}, {"id": "a", "name": "B", "child_ids": []}]', r"a \(B\) twice"),
    ],
)
def test_files_that_are_no_ontology(content, said, tmp_path):
    path = tmp_path / "ontology.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError, match=said) as error:
        read_ontology(str(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"none.json cannot be read: No such file"):
        read_ontology(str(tmp_path / "none.json"))
