"""`python -m yt8m_audio select`: which segments of a list are written."""

import subprocess
import sys

import pytest

from tests.audioset_lists import SEGMENTS, ids_in, write_lists
from yt8m_audio.__main__ import main_of_command
from yt8m_audio.errors import UserError
from yt8m_audio.held_out import held_out


@pytest.fixture
def select(tmp_path, capsys):
    """Runs the command; returns the ids that it wrote."""
    path = write_lists(tmp_path)

    def select(*flags: str, output: str = "out.csv", source: str = path) -> list[str]:
        argv = ["yt8m_audio", "select", source, str(tmp_path / output), f"--label_map={tmp_path / 'map.csv'}", *flags]
        assert main_of_command(argv) == 0
        return ids_in(tmp_path / output)

    return select


@pytest.mark.parametrize(
    ("flags", "ids"),
    [
        ([], ["a", "b", "c", "d", "-e"]),
        (["--labels=dog"], ["a", "b", "d"]),
        (["--labels=dog", "--nodescendants"], ["a", "d"]),
        (["--labels=/m/dog,3", "--nodescendants"], ["a", "b", "c", "d"]),
        (["--labels=dog,music", "--match=all"], ["b", "d"]),
        (["--labels=Bang, thump"], ["-e"]),
        (["--labels=all sounds"], ["a", "b", "d", "-e"]),
        (["--exclude=music"], ["a", "-e"]),
        (["--labels=dog", "--exclude=music", "--nodescendants"], ["a", "d"]),
        (["--single_label"], ["a", "c", "-e"]),
        (["--min_duration=9.5"], ["a", "b", "d", "-e"]),
        (["--min_duration=9.501"], ["a", "b", "d"]),
    ],
)
def test_what_is_chosen(flags, ids, select):
    assert select(*flags) == ids


def test_all_of_a_list_is_the_list(select, tmp_path):
    select()
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "s.csv").read_bytes()


def test_ids_of_a_file(select, tmp_path):
    (tmp_path / "ids.txt").write_text("# mine\na\n-e\nz\n")
    assert select(f"--ids={tmp_path / 'ids.txt'}") == ["a", "-e"]
    assert select(f"--not_ids={tmp_path / 'out.csv'}", output="others.csv") == ["b", "c", "d"]


def test_ids_alone_are_what_eval_takes(select, tmp_path):
    assert select("--labels=bark", output="ids.txt") == ["b", "d"]
    assert (tmp_path / "ids.txt").read_text() == "b\nd\n"


def test_the_clips_that_a_run_holds_out(select):
    ids = [each.encode() for each in SEGMENTS]
    kept = [each.decode() for each, held in zip(ids, held_out(40)(ids), strict=True) if held]
    assert kept
    assert select("--split=validation", "--validation_percent=40") == kept
    assert select("--split=train", "--validation_percent=40") == [each for each in SEGMENTS if each not in kept]


def test_so_many_of_each_class(select, tmp_path, capsys):
    kinds = {"m": ["/m/music"], "d": ["/m/dog"], "b": ["/m/music", "/m/dog"]}
    segments = {f"{kind}{number}": (0, 10, labels) for number in range(20) for kind, labels in kinds.items()}
    path = write_lists(tmp_path, {**segments, "x": (0, 10, ["/m/bang"])})
    chosen = select("--per_class=6", source=path)
    assert "x" in chosen
    counts = [sum(each[0] in kinds for each in chosen) for kinds in ("mb", "db")]
    assert min(counts) == 6
    assert "note: 3 of 5 classes have fewer than 6: Animal 0; Bark 0; Bang, thump 1." in capsys.readouterr().out
    assert select("--per_class=6", source=path) == chosen
    assert select("--per_class=6", "--seed=1", source=path) != chosen
    assert len(select("--number=7", source=path)) == 7


def test_several_lists(select, tmp_path):
    (tmp_path / "more.csv").write_text("z,0,1,/m/dog\n")
    assert select("--labels=dog", source=f"{tmp_path}/s.csv,{tmp_path}/more.csv") == ["a", "b", "d", "z"]
    assert select("--labels=dog", source=f"{tmp_path}/[sm]*e.csv") == ["z"]


def test_events_of_strong_labels(tmp_path, capsys):
    write_lists(tmp_path)
    lines = ["a_0\t0.000\t4.000\t/m/dog\n", "b_0\t1.000\t2.000\t/m/new\n", "b_0\t1.000\t1.500\t/m/bark\n"]
    (tmp_path / "s.tsv").write_text("segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n" + "".join(lines))

    def select(*flags):
        argv = ["yt8m_audio", "select", f"{tmp_path}/s.tsv", f"{tmp_path}/o.tsv", f"--label_map={tmp_path}/map.csv"]
        assert main_of_command([*argv, *flags]) == 0
        return (tmp_path / "o.tsv").read_text().splitlines(keepends=True)[1:]

    assert select() == lines
    assert select("--labels=animal") == [lines[0], lines[2]]
    assert select("--labels=/m/new", "--nodescendants") == [lines[1]]
    assert select("--exclude=dog", "--min_duration=1") == [lines[1]]
    with pytest.raises(UserError, match=r"--number chooses segments of a CSV"):
        select("--number=1")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--labels=dgo"], "--labels: dgo is no class: give 0 to 4, an id or a name. Did you mean Dog?"),
        (["--labels=dog", "--exclude=animal"], "none of the 5 segments of"),
        (["--match=some"], "--match=some is none of any, all."),
        (["--split=test"], "--split=test is none of train, validation."),
        (["--labels=dog", "--ontology=no.json"], "--ontology=no.json: there is no such file"),
        (["--ids=no.txt"], "--ids=no.txt cannot be read: No such file"),
        (["--per_class=0"], "--per_class=0 must be at least 1"),
        (["--min_duration=inf"], "--min_duration=inf is no number of seconds"),
        (["--split=train", "--validation_percent=0"], "--validation_percent=0 must be 1 to 99"),
    ],
)
def test_mistakes(flags, said, select):
    with pytest.raises(UserError) as error:
        select(*flags)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("output", "said"), [("s.csv", "is read and would be written over"), ("o.json", "neither .csv")]
)
def test_an_output_that_cannot_be(output, said, select):
    with pytest.raises(UserError, match=said):
        select(output=output)


def test_without_an_ontology(select, tmp_path):
    (tmp_path / "ontology.json").unlink()
    with pytest.raises(UserError, match=r"there is no ontology\.json.* Or take these classes alone, with --nodesc"):
        select("--labels=dog")


def test_no_tensorflow_is_loaded(tmp_path):
    code = (
        "import sys; from yt8m_audio.__main__ import main_of_command; "
        f"main_of_command(['y', 'select', {write_lists(tmp_path)!r}, {str(tmp_path / 'o.csv')!r}, "
        f"'--label_map={tmp_path}/map.csv']); sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
