"""MAP@N of ranked segments: by hand, and from records, submission and label cache to what is printed."""

import json
import re

import numpy as np
import pytest

from yt8m_audio.__main__ import COMMANDS, main_of_command
from yt8m_audio.commands import segment_eval
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.segment_metrics import (
    average_precision_at_n,
    mean_average_precision,
    segment_figures,
    submitted_mean,
)
from yt8m_audio.examples import frames_record

RATINGS = {7: {"a:0": True, "a:5": False, "b:0": True, "b:5": False}, 2: {"a:0": True}, 9: {"a:0": False}}
RGB = {"rgb": np.zeros((10, 8), np.uint8)}


def run(*arguments):
    return segment_eval.main(["segment-eval", *arguments])


def rated(video_id, *ratings):
    """A record with ratings (class, start, score)."""
    names = "segment_labels", "segment_start_times", "segment_scores"
    columns = [list(column) for column in zip(*ratings, strict=True)] or [[], [], []]
    context = {name: column for name, column in zip(names, columns, strict=True) if column}
    return frames_record({"id": video_id, **context}, [1], RGB)


RECORDS = (
    rated("aa", (7, 0, 1.0), (7, 5, 0.0), (2, 0, 1.0)),
    rated("bb", (7, 0, 1.0), (9, 5, 0.0)),
)


@pytest.fixture
def records(shard):
    return shard(list(RECORDS), "validate.tfrecord")


@pytest.fixture
def submission(tmp_path):
    """Writes a submission with its header; gives its path."""

    def write(*lines, header="Class,Segments\n"):
        path = tmp_path / "segments.csv"
        path.write_text(header + "".join(f"{line}\n" for line in lines))
        return str(path)

    return write


@pytest.fixture
def evaluated(capsys):
    """Runs the command with --json; gives what it prints."""

    def evaluate(*arguments):
        assert run("--json", *arguments) == 0
        return json.loads(capsys.readouterr().out)

    return evaluate


# The figure


@pytest.mark.parametrize(
    ("hits", "num_positives", "wanted"),
    [
        ([1, 1], 2, 1),
        ([0, 1], 1, 1 / 2),
        ([1, 0, 1], 2, (1 + 2 / 3) / 2),
        ([1, 0, 1], 4, (1 + 2 / 3) / 4),  # two are not ranked
        ([0, 0], 3, 0),
        ([], 3, 0),
        ([], 0, np.nan),
    ],
)
def test_average_precision(hits, num_positives, wanted):
    assert average_precision_at_n(hits, num_positives) == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(
    ("segments", "top_n", "wanted"),
    [
        ("a:0 b:0", 0, 1),
        ("a:5 a:0 b:0", 0, (1 / 2 + 2 / 3) / 2),
        ("x:0 a:0 y:5 b:0", 0, 1),  # what is not rated is removed, before ranks are counted
        ("a:0 a:5 b:0", 2, 1 / 2),  # recall is over both that are true
        ("x:0 a:0 b:0", 2, 1 / 2),  # the first two are taken before what is not rated is removed
        ("x:0 y:0 a:0", 2, 0),
        ("a:0", 100, 1 / 2),
    ],
)
def test_a_class(segments, top_n, wanted):
    figures = segment_figures(RATINGS, [(7, segments.split())], top_n)
    assert figures[7].average_precision == pytest.approx(wanted)


def test_the_mean_is_over_all_classes_with_a_true_segment():
    figures = segment_figures(RATINGS, [(9, ["a:0"]), (7, ["a:0", "x:5", "b:0", "b:5"]), (11, ["a:0"])])
    assert list(figures) == [2, 7, 9, 11]
    assert mean_average_precision(figures) == 1 / 2  # class 2 is not in the submission
    assert submitted_mean(figures) == 1
    assert np.isnan(figures[9].average_precision)
    seven = figures[7]
    assert (seven.rated, seven.positives, seven.ranked, seven.found) == (4, 2, 3, 2)
    assert (figures[2].submitted, figures[11].rated) == (False, 0)


def test_a_ranking_agrees_with_sklearn_where_everything_is_rated():
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(0)
    truth = {f"v:{index}": bool(random.random() < 0.3) for index in range(60)}
    order = random.permutation(list(truth)).tolist()
    wanted = average_precision_score([truth[each] for each in order], -np.arange(60))
    assert segment_figures({0: truth}, [(0, order)])[0].average_precision == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("ratings", "rankings", "said"),
    [
        (RATINGS, [(7, ["a:0", "b:0", "a:0"])], "Class 7 of the submission names the segment a:0 twice"),
        (RATINGS, [(7, ["a:0"]), (7, ["b:0"])], "Class 7 comes twice"),
        (RATINGS, [(8, []), (8, [])], "Class 8 comes twice"),
        ({7: {"a:0": False}}, [(7, ["a:0"])], "No segment is rated true"),
        ({}, [(7, ["a:0"])], "No segment is rated true"),
    ],
)
def test_rankings_that_have_no_figure(ratings, rankings, said):
    with pytest.raises(UserError, match=said):
        segment_figures(ratings, rankings)


# The command


def test_records_and_submission(records, submission, evaluated):
    found = evaluated(
        f"--eval_data_pattern={records}", f"--submission_file={submission('7,aa:5 zz:0 aa:0 bb:0', '9,bb:5')}"
    )
    seven = (1 / 2 + 2 / 3) / 2
    assert found["map"] == pytest.approx(seven / 2)
    assert found["submitted_map"] == pytest.approx(seven)
    assert (found["classes"], found["missing_classes"], found["unrated_classes"]) == (2, [2], [])
    rows = {row["class"]: row for row in found["per_class"]}
    assert rows[7]["average_precision"] == pytest.approx(seven)
    assert rows[9]["average_precision"] is None
    assert (rows[7]["rated"], rows[7]["positives"], rows[7]["ranked"]) == (3, 2, 3)


def test_top_n(records, submission, evaluated):
    arguments = f"--eval_data_pattern={records}", f"--submission_file={submission('7,aa:0 bb:0', '2,aa:0')}"
    assert [evaluated(*arguments, f"--top_n={n}")["map"] for n in (0, 1, 2)] == [1, (1 / 2 + 1) / 2, 1]


def test_what_is_printed(records, submission, tmp_path, capsys):
    (tmp_path / "names.csv").write_text("index,display_name\n" + "".join(f"{n},name {n}\n" for n in range(8)))
    path = submission("7,aa:0 bb:0", "30,aa:0", "31,aa:0", header="")
    assert run(f"--eval_data_pattern={records}", f"--submission_file={path}", f"--label_map={tmp_path}/names.csv") == 0
    said = capsys.readouterr().out
    assert "name 7" in said
    assert "MAP 0.500000, the mean over 2 classes of which a segment is rated true." in said
    assert re.search(r"AP\W+true\W+true ranked\W+rated\W+rated ranked", said)
    assert "note: Classes that are not in the submission count 0: 2. The mean over the others, as the starter's" in said
    assert "script takes it, is 1.000000." in said
    assert "note: Classes of the submission that are not rated are left out: 30, 31." in said


def test_the_later_of_two_ratings_counts(shard, submission, evaluated):
    path = shard([rated("aa", (7, 0, 0.0), (7, 0, 1.0), (7, 5, 0.0))])
    found = evaluated(f"--eval_data_pattern={path}", f"--submission_file={submission('7,aa:0 aa:5')}")
    assert (found["map"], found["per_class"][0]["rated"]) == (1, 2)


# The cache


def test_the_cache_stands_in_for_the_records(records, submission, tmp_path, evaluated):
    asked = f"--submission_file={submission('7,aa:5 aa:0 bb:0', '2,aa:0')}", f"--label_cache={tmp_path}/labels.csv"
    first = evaluated(f"--eval_data_pattern={records}", *asked)
    written = (tmp_path / "labels.csv").read_text()
    assert sorted(written.splitlines()[1:]) == ["aa:0,2,1.0", "aa:0,7,1.0", "aa:5,7,0.0", "bb:0,7,1.0", "bb:5,9,0.0"]
    again = evaluated(f"--eval_data_pattern={records}", *asked)
    alone = evaluated(*asked)
    assert first["per_class"] == again["per_class"] == alone["per_class"]
    assert (tmp_path / "labels.csv").read_text() == written
    assert not list(tmp_path.glob(".partial*"))


def test_a_cache_of_the_starter(submission, tmp_path, evaluated):
    (tmp_path / "labels.csv").write_text("aa:0,7,1.0\naa:5,7,0.0\nbb:0,7,1.0\n")
    asked = f"--submission_file={submission('7,aa:0 bb:0')}", f"--label_cache={tmp_path}/labels.csv"
    assert evaluated(*asked)["map"] == 1


def test_a_cache_of_records_that_were_moved_is_theirs(records, submission, tmp_path, evaluated):
    asked = f"--submission_file={submission('7,aa:0 bb:0')}", f"--label_cache={tmp_path}/labels.csv"
    evaluated(f"--eval_data_pattern={records}", *asked)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "validate.tfrecord").rename(tmp_path / "elsewhere" / "validate.tfrecord")
    assert evaluated(f"--eval_data_pattern={tmp_path}/elsewhere/*", *asked)["map"] == 1 / 2


def test_a_cache_of_other_records(records, shard, submission, tmp_path):
    asked = f"--submission_file={submission('7,aa:0')}", f"--label_cache={tmp_path}/labels.csv"
    run(f"--eval_data_pattern={records}", *asked)
    other = shard([rated("cc", (7, 0, 1.0))], "test.tfrecord")
    with pytest.raises(UserError, match=r"labels.csv is of other records \(.*validate.tfrecord, 1 files\) than"):
        run(f"--eval_data_pattern={other}", *asked)


@pytest.mark.parametrize("content", ["aa:0,7\n", "aa:0,7,yes\n", "# {\n", "# 3\naa:0,7,1.0\n", "aa:0,x,1\n"])
def test_a_cache_that_is_damaged(content, submission, tmp_path):
    (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(UserError, match=r"labels.csv, line 1: .* remove the file to have it made anew"):
        run(f"--submission_file={submission('7,aa:0')}", f"--label_cache={tmp_path}/labels.csv")


def test_a_cache_that_cannot_be_written(records, submission, tmp_path):
    with pytest.raises(UserError, match=r"--label_cache=.*none/labels.csv cannot be written: No such file"):
        run(
            f"--eval_data_pattern={records}",
            f"--submission_file={submission('7,aa:0')}",
            f"--label_cache={tmp_path}/none/labels.csv",
        )


# Mistakes


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("speech,aa:0", "line 2: 'speech' is no class, a whole number"),
        ("-1,aa:0", "line 2: '-1' is no class"),
        ("7,aa", "line 2: class 7 names 'aa', which is no segment: these are id:start"),
        ("7,aa:0 bb:x", "class 7 names 'bb:x', which is no segment"),
        ("7,aa:0 bb:5.0", "class 7 names 'bb:5.0', which is no segment"),
        ("7,aa:0,bb:0", "class 7 names 'aa:0,bb:0', which is no segment"),
        ("7,aa:0 aa:0", "Class 7 of the submission names the segment aa:0 twice"),
        ("7", "No segment that is rated for a class of the submission is in there"),
        ("30,aa:0", "No segment that is rated"),
        ("7,zz:0", "No segment that is rated"),
        ("", "segments.csv holds no class"),
    ],
)
def test_submissions_that_are_none(line, said, records, submission):
    with pytest.raises(UserError, match=said) as error:
        run(f"--eval_data_pattern={records}", f"--submission_file={submission(line)}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--eval_data_pattern={records}"], "--submission_file is missing"),
        (["--submission_file={file}"], "--eval_data_pattern is missing: give a glob"),
        (["--submission_file={file}", "--label_cache=none.csv"], "missing and --label_cache=none.csv is not there yet"),
        (["--submission_file={file}", "--eval_data_pattern={records}", "--top_n=-1"], "--top_n=-1 must be at least 0"),
        (["--submission_file=none.csv", "--eval_data_pattern={records}"], "none.csv cannot be read: No such file"),
        (["--submission_file={file}", "--eval_data_pattern=none/*"], "none/.* matches no file"),
    ],
)
def test_flags_that_do_not_fit(arguments, said, records, submission):
    file = submission("7,aa:0")
    with pytest.raises(UserError, match=said):
        run(*(each.format(records=records, file=file) for each in arguments))


def test_records_that_have_no_segments(shard, submission):
    with pytest.raises(UserError, match=r"^--eval_data_pattern=.* holds no rated segments: give YouTube-8M's"):
        run(f"--eval_data_pattern={shard(2)}", f"--submission_file={submission('7,aa:0')}")


def test_records_without_ratings(shard, submission):
    path = shard([rated("aa"), rated("bb")])
    with pytest.raises(UserError, match=r"no segment is rated in the 4 there are"):
        run(f"--eval_data_pattern={path}", f"--submission_file={submission('7,aa:0')}")


@pytest.mark.skipif("segment-eval" not in COMMANDS, reason="the coordinator's to add")
def test_it_is_a_command(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main_of_command(["yt8m_audio", "segment-eval", "--help"])
    assert exit_info.value.code == 0
    assert "--label_cache" in capsys.readouterr().out
