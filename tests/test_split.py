"""`python -m yt8m_audio split`: parts with each class's share, and no video in two of them."""

import itertools

import numpy as np
import pytest

from tests.audioset_lists import ids_in, write_lists
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.audioset.segments import read_segments
from yt8m_audio.audioset.stratification import Division, stratified
from yt8m_audio.errors import UserError
from yt8m_audio.labels import label_map_for

NAMES = ("/m/animal", "/m/dog", "/m/bark", "/m/music")
THREE = "--parts=train=80,validation=10,test=10"


def split(folder, source, *flags):
    """Runs the command; returns the ids of each part."""
    argv = ["yt8m_audio", "split", str(source), str(folder / "out"), f"--label_map={folder / 'map.csv'}", *flags]
    assert main_of_command(argv) == 0
    return {path.stem: ids_in(path) for path in sorted((folder / "out").glob("*.csv"))}


@pytest.fixture
def many(tmp_path):
    """A list of 400 segments of 200 videos, two in a row of each."""
    random = np.random.default_rng(0)
    labels = [",".join(np.array(NAMES)[random.random(4) < 0.3]) for _ in range(400)]
    lines = [
        f'v{number // 2}, {number % 2}0.000, {number % 2 + 1}0.000, "{each}"\n' for number, each in enumerate(labels)
    ]
    write_lists(tmp_path)
    (tmp_path / "many.csv").write_text("".join(lines))
    return tmp_path / "many.csv"


def test_every_segment_is_in_one_part_and_a_video_in_one(many, tmp_path):
    parts = split(tmp_path, many, THREE)
    assert sorted(itertools.chain(*parts.values())) == sorted(ids_in(many))
    videos = [set(each) for each in parts.values()]
    assert sum(map(len, videos)) == len(set.union(*videos)) == 200
    assert len(parts["train"]) == pytest.approx(320, abs=8)


def test_each_class_has_its_share(many, tmp_path):
    split(tmp_path, many, "--parts=a=1,b=1")
    rows = [line.split("\t") for line in (tmp_path / "out" / "classes.tsv").read_text().splitlines()]
    assert rows[0] == ["index", "display_name", "a", "b"]
    counts = np.array([row[2:] for row in rows[1:5]], int)
    assert np.abs(counts[:, 0] - counts[:, 1]).max() <= 4
    assert counts.sum() == read_segments(str(many), NAMES, "").label_counts.sum()


def test_the_seed_decides(many, tmp_path):
    first = split(tmp_path, many, THREE)
    assert split(tmp_path, many, THREE, "--seed=1") != first
    assert split(tmp_path, many, THREE) == first


def test_the_rarest_class_comes_first_and_goes_where_it_lacks():
    # videos: four with class 0, two of which have the rare class 1 too
    division = Division([0, 0, 0, 1, 0, 1], [0, 1, 2, 4, 6], [1, 1, 1, 1], [0.5, 0.5])
    parts = division.parts()
    assert sorted(parts[2:]) == [0, 1]
    assert sorted(parts[:2]) == [0, 1]


def test_videos_without_labels_fill_up():
    assert sorted(Division([], [0, 0, 0, 0, 0], [1, 1, 1, 1], [0.75, 0.25]).parts()) == [0, 0, 0, 1]


def test_audioset_is_divided_better_than_at_random(audioset):
    segments = read_segments(str(audioset / "metadata" / "eval_segments.csv"), label_map_for("", 527).ids, "")
    parts = stratified(segments, [0.8, 0.1, 0.1], seed=0)

    def mean_error(parts):
        counts = np.bincount(segments.label_values * 3 + parts[segments.label_rows], minlength=3 * 527).reshape(527, 3)
        return np.abs(counts / counts.sum(axis=1, keepdims=True) - [0.8, 0.1, 0.1]).mean()

    at_random = np.random.default_rng(0).choice(3, len(segments), p=[0.8, 0.1, 0.1])
    assert mean_error(parts) < 0.15 * mean_error(at_random)
    assert np.bincount(parts)[1:] == pytest.approx([2037, 2037], abs=80)


def test_the_distribution_is_shown(many, tmp_path, capsys):
    split(tmp_path, many, THREE)
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if line.startswith(" t") or line.startswith(" v")] == [
        "train",
        "validation",
        "test",
    ]
    assert max(map(len, said.splitlines()[:-2])) <= 80


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--parts=train"], "--parts=train must be names with numbers above 0"),
        (["--parts=a=1,b=0"], "--parts=a=1,b=0 must be names"),
        (["--parts=a=1,../b=1"], "must be names"),
        (["--parts=a=1,a=1"], "must name two parts at least, each once"),
        (["--parts=a=1,b=1000000"], "none of the 400 segments is left for a"),
    ],
)
def test_mistakes(flags, said, many, tmp_path):
    with pytest.raises(UserError) as error:
        split(tmp_path, many, *flags)
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_list_is_not_written_over(many, tmp_path):
    split(tmp_path, many, THREE)
    with pytest.raises(UserError, match=r"train\.csv is read and would be written over"):
        split(tmp_path, tmp_path / "out" / "train.csv", THREE)
