"""Strong labels: events in clips, and damage by its line."""

import numpy as np
import pytest

from yt8m_audio.audioset.segment_files import write_events
from yt8m_audio.audioset.strong_labels import read_strong_labels
from yt8m_audio.errors import UserError

HEADER = "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n"
LINES = "b0RFKhbpFJA_30000\t0.000\t10.000\t/m/b\n-_a_b-_0\t1.500\t2.25\t/m/a\nb0RFKhbpFJA_30000\t3.000\t3.000\t/m/a\n"


@pytest.fixture
def read(tmp_path):
    """Reads strong labels of that content."""

    def read(content: str, **more):
        (tmp_path / "s.tsv").write_bytes(content.encode())
        return read_strong_labels(str(tmp_path / "s.tsv"), **more)

    return read


@pytest.mark.parametrize("content", [HEADER + LINES, (HEADER + LINES).replace("\n", "\r\n"), HEADER + LINES + "\n"])
def test_events(content, read):
    events = read(content)
    assert events.video_ids.tolist() == [b"b0RFKhbpFJA", b"-_a_b-", b"b0RFKhbpFJA"]
    assert events.clip_ms.tolist() == [30_000, 0, 30_000]
    assert events.start_ms.tolist() == [0, 1500, 3000]
    assert events.end_ms.tolist() == [10_000, 2250, 3000]
    assert (events.ids, events.label_values.tolist()) == (("/m/a", "/m/b"), [1, 0, 0])
    assert events.clips.tolist() == [0, 1, 0]


def test_classes_may_be_given(read):
    assert read(HEADER + LINES, ids=("/m/b", "/m/x", "/m/a")).label_values.tolist() == [0, 2, 2]
    with pytest.raises(UserError, match="line 3: /m/a is no class"):
        read(HEADER + LINES, ids=("/m/b",))


def test_they_are_written_as_they_were(read, tmp_path):
    events = read(HEADER + LINES)
    write_events(tmp_path / "all.tsv", events, np.arange(3))
    assert (tmp_path / "all.tsv").read_text() == HEADER + LINES
    write_events(tmp_path / "some.tsv", events, np.array([1]))
    assert (tmp_path / "some.tsv").read_text() == HEADER + LINES.splitlines()[1] + "\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a_0\t0.000\t1.000", "line 5 has 3 columns in place of 4"),
        ("a_0\t0.000\t1.000\t/m/a\t1", "line 5 has 5 columns in place of 4"),
        ("a0\t0.000\t1.000\t/m/a", "line 5: 'a0' is no segment's id"),
        ("_0\t0.000\t1.000\t/m/a", "line 5: '_0' is no segment's id"),
        ("a_-1\t0.000\t1.000\t/m/a", "line 5: 'a_-1' is no segment's id"),
        ("a_0\tsoon\t1.000\t/m/a", "line 5: 'soon' is no time in seconds"),
        ("a_0\t2.000\t1.000\t/m/a", "line 5: it ends at 1.000, before it begins at 2.000"),
        ("a_0\t0.000\t1.000\t", "line 5 has no label"),
    ],
)
def test_damage_names_its_line(line, said, read):
    with pytest.raises(UserError) as error:
        read(HEADER + LINES + line + "\n")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it is empty"),
        (HEADER, "it holds none"),
        (LINES, "is none of AudioSet's lists of strong labels: its first line is not"),
    ],
)
def test_files_that_are_none(content, said, read):
    with pytest.raises(UserError, match=said):
        read(content)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"none\.tsv cannot be read as strong labels: No such file"):
        read_strong_labels(str(tmp_path / "none.tsv"))
