"""`python -m yt8m_audio ontology` and `labels`: what there is, above and below, by any name."""

import json

import pytest

from tests.audioset_lists import write_lists
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.audioset.ontology import read_ontology
from yt8m_audio.errors import UserError


@pytest.fixture
def run(tmp_path, capsys):
    """Runs a command beside small lists; returns what it prints."""
    write_lists(tmp_path)
    given = [f"--label_map={tmp_path / 'map.csv'}", f"--ontology={tmp_path / 'ontology.json'}"]

    def run(command: str, *arguments: str) -> str:
        assert main_of_command(["yt8m_audio", command, *arguments, *given]) == 0
        return capsys.readouterr().out

    return run


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip() and "─" not in line]


# The ontology


def test_the_tree_with_counts(run, tmp_path):
    assert rows(run("ontology", "all sounds", f"--segments={tmp_path / 's.csv'}")) == [
        ["All", "sounds"],
        ["class", "index", "clips", "with", "below", "note"],
        ["All", "sounds", "0", "4", "abstract,", "no", "class"],
        ["Animal", "0", "1", "3"],
        ["Dog", "1", "2", "3"],
        ["Bark", "2", "2", "2"],
        ["Bang,", "thump", "4", "1", "1"],
    ]


@pytest.mark.parametrize("what", ["Dog", "dog", "/m/dog", "1"])
def test_a_node_by_any_name(what, run):
    assert rows(run("ontology", what))[0] == ["All", "sounds", ">", "Animal", ">", "Dog"]


def test_all_ways_down_are_shown(run):
    said = rows(run("ontology", "bark"))
    assert said[:2] == [["All", "sounds", ">", "Animal", ">", "Dog", ">", "Bark"], ["Music", ">", "Bark"]]


def test_the_roots(run):
    assert [row[0] for row in rows(run("ontology"))[1:]] == ["All", "Animal", "Bang,", "Music", "Bark"]
    assert len(rows(run("ontology", "--depth=2"))) == 7


def test_as_json(run, tmp_path):
    found = json.loads(run("ontology", "bark", "--json", f"--segments={tmp_path / 's.csv'}"))
    assert found["node"]["ancestors"] == ["Dog", "Music", "Animal", "All sounds"]
    assert found["node"]["paths"] == [["All sounds", "Animal", "Dog", "Bark"], ["Music", "Bark"]]
    assert (found["node"]["depth"], found["node"]["parents"]) == (1, ["Dog", "Music"])
    assert found["rows"][0]["clips"] == 2


@pytest.mark.parametrize(
    ("other", "said"),
    [("animal", "Dog and Animal: 1 step apart."), ("3", "nothing is above both"), ("bang, thump", "3 steps apart")],
)
def test_distance(other, said, run):
    assert said in run("ontology", "dog", f"--distance={other}")


def test_a_picture(run, tmp_path):
    run("ontology", f"--plot={tmp_path / 'o.png'}", f"--segments={tmp_path / 's.csv'}")
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dgo"], "Did you mean Dog?"),
        (["9"], "9 is no node of"),
        (["--distance=dog"], "from where? Name a node"),
        (["dog", "--plot=o.jpg"], "--plot=o.jpg must be a .png file"),
        (["dog", "--depth=0"], "--depth=0 must be at least 1"),
    ],
)
def test_mistakes(arguments, said, run):
    with pytest.raises(UserError) as error:
        run("ontology", *arguments)
    assert said in str(error.value)


def test_there_is_no_ontology(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there is no ontology\.json in this folder: give --ontology=FILE"):
        main_of_command(["yt8m_audio", "ontology", "Dog"])


def test_the_released_one(audioset):
    ontology = read_ontology(str(audioset / "metadata" / "ontology.json"))
    assert [ontology.nodes[each].name for each in ontology.paths(ontology.find("BARK"))[0]] == [
        "Animal",
        "Domestic animals, pets",
        "Dog",
        "Bark",
    ]
    assert ontology.distance(ontology.find("dog"), ontology.find("cat")) == 2
    assert ontology.distance(ontology.find("dog"), ontology.find("speech")) is None
    assert ontology.ancestors(ontology.find("bell"))[:2] == tuple(ontology.parents[ontology.find("bell")])


# Labels


def test_labels_by_whichever_is_given(run):
    assert rows(run("labels", "DOG", "4", "/m/bark", "*an*"))[1:] == [
        ["1", "/m/dog", "Dog", "Animal"],
        ["4", "/m/bang", "Bang,", "thump", "All", "sounds"],
        ["2", "/m/bark", "Bark", "Dog;", "Music"],
        ["0", "/m/animal", "Animal", "All", "sounds"],
    ]


@pytest.mark.parametrize("arguments", [["Bang, thump"], ["bang, thump", "4"], ["/m/bang"], ['"Bang, thump",4']])
def test_names_with_commas(arguments, run):
    assert [each["index"] for each in json.loads(run("labels", *arguments, "--json"))] == [4]


def test_all_labels(run):
    assert [each["name"] for each in json.loads(run("labels", "--json"))] == [
        "Animal",
        "Dog",
        "Bark",
        "Music",
        "Bang, thump",
    ]


@pytest.mark.parametrize(
    ("argument", "said"),
    [("dgo", "Did you mean Dog?"), ("5", "give 0 to 4"), ("*z*", "matches no name"), ("--x=1", "--x")],
)
def test_labels_that_there_are_not(argument, said, run):
    with pytest.raises(UserError) as error:
        run("labels", argument)
    assert said in str(error.value)


def test_labels_without_ids(tmp_path, capsys):
    (tmp_path / "map.csv").write_text("index,display_name\n0,rain\n1,wind\n")
    assert main_of_command(["yt8m_audio", "labels", "WIND", f"--label_map={tmp_path / 'map.csv'}"]) == 0
    assert rows(capsys.readouterr().out) == [["index", "name"], ["1", "wind"]]
