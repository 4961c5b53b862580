"""Label maps: class index to display name."""

import hashlib

import pytest

from yt8m_audio.errors import UserError
from yt8m_audio.labels import AUDIOSET_LABEL_MAP, label_map_for, read_label_map

VOCABULARY = (
    "Index,TrainVideoCount,KnowledgeGraphId,Name,WikiUrl,Vertical1,Vertical2,Vertical3,WikiDescription\n"
    '1,59,/m/b,,,(Unknown),,,\n0,788288,/m/a,Game,https://a,Games,,,"A ""game"", or\nplay:\n2,/m/c,x"\n'
    '2,9,/m/c,"Cat, or ""Felis""",,Pets,,,"None"\n'
)


@pytest.fixture
def label_map(tmp_path):
    """Writes a CSV, and gives its path."""

    def write(content: str | bytes) -> str:
        path = tmp_path / "labels.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def test_audiosets_own():
    labels = label_map_for("", 527)
    assert len(labels) == len(set(labels.names)) == 527
    assert (labels.names[0], labels.names[137], labels.names[526]) == ("Speech", "Music", "Field recording")
    assert labels.sha256 == hashlib.sha256(AUDIOSET_LABEL_MAP.read_bytes()).hexdigest()


def test_audiosets_own_is_the_released_one(audioset):
    released = read_label_map(str(audioset / "metadata" / "class_labels_indices.csv"))
    assert released.names == label_map_for("", 527).names


def test_another_number_of_classes_has_no_map_of_its_own():
    assert label_map_for("", 3862) is None


def test_rows_may_stand_in_any_order(label_map):
    path = label_map('mid,index,display_name\n/m/b,1,"Whoosh, swoosh"\n/m/c,2,null\n/m/a,0,nan\n')
    labels = label_map_for(path, 3)
    assert labels.names == ("nan", "Whoosh, swoosh", "null")
    assert labels.ids == ("/m/a", "/m/b", "/m/c")


def test_youtube_8ms_vocabulary(label_map):
    labels = label_map_for(label_map(VOCABULARY), 3)
    assert labels.names == ("Game", "/m/b", 'Cat, or "Felis"')
    assert labels.ids == ("/m/a", "/m/b", "/m/c")


def test_an_empty_name_without_an_id_stays_empty(label_map):
    labels = read_label_map(label_map("index,display_name\n0,\n1,b\n"))
    assert (labels.names, labels.ids) == (("", "b"), ())


def test_more_than_ten_rows_are_put_in_order_by_number(label_map):
    rows = "".join(f"{index},n{index}\n" for index in reversed(range(12)))
    assert read_label_map(label_map(f"Index,Name\n{rows}")).names == tuple(f"n{index}" for index in range(12))


def test_names_may_be_numbers(label_map):
    assert read_label_map(label_map("index,mid,display_name\n0,1,007\n1,2,\n")).names == ("007", "2")


def test_the_same_file_has_the_same_hash(label_map):
    first = read_label_map(label_map("index,display_name\n0,a\n"))
    assert read_label_map(label_map("index,display_name\n0,a\n")) == first
    assert read_label_map(label_map("index,display_name\n0,b\n")).sha256 != first.sha256


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("index,mid\n0,/m/a\n", "needs the columns index and display_name or Index and Name; found index, mid."),
        ("id,name\n0,a\n", "needs the columns index and display_name or Index and Name; found id, name."),
        ("Index,display_name\n0,a\n", "or Index and Name; found Index, display_name."),
        ("index,display_name\n1,a\n2,b\n", "the indices must be 0 to 1, each once; found 2 rows and no index 0."),
        ("index,display_name\n0,a\n0,b\n", "the indices must be 0 to 1, each once; found 2 rows and no index 1."),
        ("Index,Name\n0,a\n2,b\n", "the indices must be 0 to 1, each once; found 2 rows and no Index 1."),
        ("index,display_name\n0,a\n,b\n", "the indices must be 0 to 1, each once"),
        ("index,display_name\n0,a\nx,b\n", "the indices must be 0 to 1, each once"),
        ("", "cannot be read as a CSV"),
        (b"index,display_name\n0,\xff\xfe\n", "cannot be read as a CSV"),
        ('index,display_name\n0,"a\n', "cannot be read as a CSV"),
    ],
)
def test_a_broken_map_is_named(label_map, content, message):
    path = label_map(content)
    with pytest.raises(UserError) as error:
        read_label_map(path)
    assert str(error.value).startswith(f"--label_map={path}")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_map_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"^--label_map=.*/none\.csv cannot be read as a CSV: "):
        label_map_for(f"{tmp_path}/none.csv", 2)


def test_a_map_of_another_number_of_classes(label_map):
    with pytest.raises(UserError, match=r"labels\.csv names 2 classes, but --num_classes is 3"):
        label_map_for(label_map("index,display_name\n0,a\n1,b\n"), 3)
