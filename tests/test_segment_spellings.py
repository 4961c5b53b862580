"""Lists of segments as AudioSet spells them and as others do; written back byte for byte; damage by its line."""

import numpy as np
import pytest

from yt8m_audio.audioset.byte_fields import milliseconds
from yt8m_audio.audioset.segment_files import joined, write_segments
from yt8m_audio.audioset.segments import read_segments
from yt8m_audio.errors import UserError
from yt8m_audio.labels import label_map_for

IDS = ("/m/a", "/m/b", "/m/c")
OFFICIAL = '# Segments csv\n# num\n# YTID\n-_a, 30.000, 40.000, "/m/a,/m/b"\n_-b, 0.500, 7.250, "/m/c"\n'


@pytest.fixture
def read(tmp_path):
    """Reads a list of that content."""

    def read(content: str | bytes):
        (tmp_path / "s.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return read_segments(str(tmp_path / "s.csv"), IDS, "")

    return read


@pytest.mark.parametrize(
    "content",
    [
        OFFICIAL,
        OFFICIAL.removesuffix("\n"),
        OFFICIAL.replace("\n", "\r\n"),
        "\ufeff" + OFFICIAL,
        OFFICIAL.replace(", ", ","),
        OFFICIAL.replace("30.000", "30").replace("7.250", " 7.25").replace("0.500", ".5"),
        OFFICIAL.replace('"/m/c"', "/m/c").replace("40.000", "4e1"),
        OFFICIAL.replace("/m/a,/m/b", " /m/a , /m/b "),
        OFFICIAL.replace("-_a,", '"-_a",').replace("_-b", " \n# again\n\n_-b"),
    ],
)
def test_spellings(content, read):
    found = read(content)
    assert found.video_ids.tolist() == [b"-_a", b"_-b"]
    assert found.start_ms.tolist() == [30_000, 500]
    assert found.end_ms.tolist() == [40_000, 7250]
    assert found.label_values.tolist() == [0, 1, 2]
    assert found.label_counts.tolist() == [2, 1]
    assert found.label_rows.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (', 0.000, 1.000, "/m/a"', "line 6 has no id"),
        ('a, 0.000, 1.000, "/m/a', "line 6 is no line of a CSV: a quote is not closed"),
        ("a, 0.000, 1.000, /m/a,/m/b", "line 6: this is no list of AudioSet's segments"),
        ('a, 0.000, 1.000, "/m/a" "', "line 6"),
        ('"a,b", 0.000, 1.000, "/m/a"', "line 6: a,b holds a comma"),
        ('a, -1.000, 1.000, "/m/a"', "line 6: '-1.000' is no time"),
        ('a, nan, 1.000, "/m/a"', "line 6: 'nan' is no time"),
        ('a, 1_0, 11.000, "/m/a"', "line 6: '1_0' is no time"),
        ('a, 0.000, 1e99, "/m/a"', "line 6: '1e99' is no time"),
        ('a, 5.000, 4.999, "/m/a"', "line 6: it ends at 4.999, before it begins at 5.000"),
        ('a, 0.000, 1.000, "/m/a,,/m/b"', "line 6: an empty label is no class"),
        ('a\r, 0.000, 1.000, "/m/a"', "line 6 is no line of a CSV"),
        ('a\tb, 0.000, 1.000, "/m/a"', "line 6: 'a\\tb' holds what cannot be printed"),
        ('a, 0.000, 1.000, "/m/a,\t/m/b"', "line 6: '/m/a,\\t/m/b' holds what cannot be printed"),
        ("a,", "line 6: this is no list of AudioSet's segments"),
        (",", "line 6: this is no list of AudioSet's segments"),
        ('a, 0.000, 1.000, "/m/A"', "line 6: /m/A is no class"),
        (b"a\xff, 0.000, 1.000", "line 6 is no UTF-8 text"),
    ],
)
def test_damage_names_its_line(line, said, read):
    with pytest.raises(UserError) as error:
        read(OFFICIAL.encode() + (line if isinstance(line, bytes) else line.encode()) + b"\n")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("labels", ['""', '" "', ""])
def test_no_labels(labels, read):
    found = read(f"a, 0.000, 1.000, {labels}\n")
    assert (found.label_values.tolist(), found.label_counts.tolist()) == ([], [0])


@pytest.mark.parametrize("content", ["# only\n# comments\n", "\n \n"])
def test_a_list_of_nothing(content, read):
    with pytest.raises(UserError, match=r"it holds none|it is empty"):
        read(content)


@pytest.mark.parametrize("texts", [["0.000", "12345.678", "1.5", "x.000", "1.00", "", ".500", "1.0000", "9.99a"]])
def test_numbers_with_three_decimals(texts):
    values = np.frombuffer(",".join(texts).encode() + b"\n", np.uint8)
    stops = np.cumsum([len(each) + 1 for each in texts]) - 1
    starts = stops - [len(each) for each in texts]
    assert milliseconds(values, starts, stops).tolist() == [0, 12_345_678, -1, -1, -1, -1, -1, -1, -1]


@pytest.mark.parametrize("content", [OFFICIAL, OFFICIAL.replace(", ", ","), OFFICIAL.removesuffix("\n")])
def test_all_segments_are_written_as_they_were(content, read, tmp_path):
    write_segments(tmp_path / "again.csv", read(content), np.arange(2), "s.csv")
    assert (tmp_path / "again.csv").read_text() == content


def test_some_segments_are_written_line_by_line(read, tmp_path):
    write_segments(tmp_path / "some.csv", read(OFFICIAL), np.array([1]), "s.csv")
    assert (tmp_path / "some.csv").read_text().splitlines() == [
        "# Segments csv made by yt8m_audio of s.csv",
        "# num_ytids=1, num_segs=1, num_unique_labels=1, num_positive_labels=1",
        "# YTID, start_seconds, end_seconds, positive_labels",
        OFFICIAL.splitlines()[4],
    ]


def test_several_lists_are_one(read, tmp_path):
    both = joined([read(OFFICIAL.removesuffix("\n")), read('c, 1.000, 2.000, ""\n')])
    write_segments(tmp_path / "both.csv", both, np.arange(3), "two")
    assert (tmp_path / "both.csv").read_text().splitlines()[3:] == [
        *OFFICIAL.splitlines()[3:],
        'c, 1.000, 2.000, ""',
    ]
    assert both.label_counts.tolist() == [2, 1, 0]


@pytest.mark.parametrize("name", ["balanced_train_segments.csv", "eval_segments.csv"])
def test_the_released_lists_are_written_as_they_were(name, audioset, tmp_path):
    path = audioset / "metadata" / name
    found = read_segments(str(path), label_map_for("", 527).ids, "")
    write_segments(tmp_path / name, found, np.arange(len(found)), name)
    assert (tmp_path / name).read_bytes() == path.read_bytes()
    write_segments(tmp_path / name, found, np.arange(len(found))[::-1], name)
    lines = path.read_bytes().splitlines()
    assert (tmp_path / name).read_bytes().splitlines()[1:] == [*lines[1:3], *lines[:2:-1]]
