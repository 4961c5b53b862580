"""Classes by name, id or index, whichever is given."""

import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.labels import LabelFinder, label_map_for

NAMES, IDS = ("Rain", "Whoosh, swoosh", "rain", "7", "Twice", "Twice"), ("/m/a", "/m/b", "/m/c", "/m/d", "/m/e", "/m/F")


@pytest.mark.parametrize(
    ("label", "index"),
    [
        ("Rain", 0),
        ("rain", 2),
        ("WHOOSH, swoosh", 1),
        ("/m/c", 2),
        ("/M/f", 5),
        ("0", 0),
        ("7", 3),  # a name, and no index here
        ("5", 5),
    ],
)
def test_any_of_the_three_is_found(label, index):
    assert LabelFinder(NAMES, IDS).find(label) == index


def test_an_exact_name_counts_before_an_index():
    assert LabelFinder(("2", "1", "0")).find("0") == 2


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("6", "--x: 6 is no class: give 0 to 5, an id or a name."),
        ("Wind", "Wind is no class"),
        ("woosh, swoosh", "Did you mean Whoosh, swoosh?"),
        ("twice", "twice is the name of the classes 4, 5: give an index."),
        ("RAIN", "RAIN is the name of the classes 0, 2: give an index."),
        ("²", "² is no class"),
        ("", " is no class"),
    ],
)
def test_what_is_no_class(label, said):
    with pytest.raises(UserError) as error:
        LabelFinder(NAMES, IDS).find(label, "--x")
    assert said in str(error.value)


def test_classes_without_names():
    finder = LabelFinder((), num_classes=3)
    assert finder.find("2") == 2
    with pytest.raises(UserError, match="they have no names without --label_map"):
        finder.find("Rain")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0, /m/c,7", [0, 2, 3]),
        ('"whoosh, swoosh",0', [1, 0]),
        ("Whoosh, swoosh", [1]),
        ("0,0,/m/a", [0]),
        ("", []),
    ],
)
def test_lists(text, found):
    assert LabelFinder(NAMES, IDS).listed(text) == found


def test_every_class_of_audioset_is_found_by_each_of_the_three():
    labels = label_map_for("", 527)
    finder = LabelFinder(labels.names, labels.ids)
    for texts in (labels.names, labels.ids, map(str, range(527)), map(str.upper, labels.names)):
        assert [finder.find(each) for each in texts] == list(range(527))
