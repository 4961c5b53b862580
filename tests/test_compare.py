"""`python -m yt8m_audio compare A B`: the same clips, the same resamples, and what differs."""

import dataclasses
import json

import numpy as np
import pytest

from tests.test_scripts import data, predict, train, trained  # noqa: F401  fixtures
from yt8m_audio.commands import compare
from yt8m_audio.commands.scored import ScoredSource
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation.scores import Scores


def compared(capsys, *arguments):
    """What the command prints as JSON."""
    capsys.readouterr()
    assert compare.main(["compare", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def source(ids, times=None, scores=None, rated=None, name="a"):
    """Scores of clips with two classes, the first true of the even ones."""
    scores = np.random.default_rng(1).random((len(ids), 2)) if scores is None else np.array(scores)
    labels = np.stack([np.arange(len(ids)) % 2 == 0, np.arange(len(ids)) % 2 == 1], axis=1).astype(np.uint8)
    times = np.zeros(len(ids)) if times is None else np.array(times)
    scores = Scores(scores, labels, 0.0, rated, np.array(ids, object), times.astype(np.float32))
    return ScoredSource(scores, {"source": name, "clips": len(ids), "ids_sha256": "0"})


def reordered(found, order, name="b"):
    """The same scores with the clips in another order."""
    names = ("probabilities", "labels", "video_ids", "start_times")
    scores = dataclasses.replace(found.scores, **{each: getattr(found.scores, each)[order] for each in names})
    return ScoredSource(scores, {**found.about, "source": name, "clips": len(order)})


@pytest.fixture(scope="module")
def worse(data, tmp_path_factory):  # noqa: F811
    """A run that learnt next to nothing."""
    folder = tmp_path_factory.mktemp("runs") / "worse"
    assert train(data, folder, "--frame_features", "--num_epochs=1", "--base_learning_rate=0.0001") == 0
    return folder


# The same clips


@pytest.mark.parametrize("times", [None, [0, 10, 20, 30]])
def test_clips_are_put_into_one_order(times):
    ids = [b"a", b"b", b"c", b"d"] if times is None else [b"a", b"a", b"b", b"b"]
    first = source(ids, times)
    one, two = compare.aligned(first, reordered(first, np.array([2, 0, 3, 1])))
    assert one.video_ids.tolist() == two.video_ids.tolist() == ids
    np.testing.assert_array_equal(one.probabilities, two.probabilities)
    np.testing.assert_array_equal(one.start_times, two.start_times)


def test_ids_that_are_enough_need_no_start_times():
    first = source([b"a", b"b"], [30, 40])
    one, two = compare.aligned(first, source([b"a", b"b"], [0, 0]))
    assert one.video_ids.tolist() == two.video_ids.tolist()


def test_a_clip_that_is_there_twice_is_compared_with_itself():
    first = source([b"a", b"a", b"a", b"a"])
    one, two = compare.aligned(first, reordered(first, np.arange(4)))
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


def test_what_cannot_be_compared():
    first = source([b"a", b"b", b"c"])
    for second, said in (
        (
            reordered(first, np.array([0, 1])),
            "a and b are of different clips, 3 and 2, 2 of them in both: .*--eval_ids",
        ),
        (source([b"a", b"b", b"d"], name="b"), "different clips, 3 and 3, 2 of them in both"),
        (source([b"b", b"a", b"c"], name="b"), "different labels for the same clips"),
    ):
        with pytest.raises(UserError, match=said):
            compare.aligned(first, second)
    wider = dataclasses.replace(first.scores, labels=np.zeros((3, 4)))
    for kind, told in (("run", ""), ("predictions", "; --num_classes says how many predictions are of")):
        with pytest.raises(UserError, match=rf"are of 2 and 4 classes: only the same classes can be compared{told}\.$"):
            compare.aligned(first, ScoredSource(wider, {"source": "b", "kind": kind}))


def test_what_was_rated_goes_with_the_clips_and_must_be_the_same():
    rated = np.array([[True, False], [True, True], [True, True]])
    first = source([b"a", b"b", b"c"], rated=rated)
    order = np.array([2, 0, 1])
    other = reordered(first, order)
    one, two = compare.aligned(first, ScoredSource(dataclasses.replace(other.scores, rated=rated[order]), other.about))
    assert one.rated.tolist() == two.rated.tolist() == rated.tolist()
    for wrong in (rated, None):
        found = ScoredSource(dataclasses.replace(other.scores, rated=wrong), other.about)
        with pytest.raises(UserError, match="different labels for the same clips"):
            compare.aligned(first, found)


def test_segments_whose_scores_are_zero_can_be_compared():
    one = source([b"a", b"b", b"c"], scores=[[0, 0], [0, 0], [0, 0.5]], rated=np.ones((3, 2), bool)).scores
    found = compare.differences((one, one), compare.CompareFlags("a", "b", resamples=3))
    assert found["auc"].first == (1 / 2 + 1 / 4) / 2


def test_the_order_of_the_clips_changes_no_interval():
    one = source([b"c", b"a", b"b", b"d", b"a"], times=[0, 10, 0, 0, 0])
    two = source([b"c", b"a", b"b", b"d", b"a"], times=[0, 10, 0, 0, 0], scores=np.random.default_rng(2).random((5, 2)))
    asked, order = compare.CompareFlags("a", "b", resamples=50), np.array([3, 1, 4, 0, 2])
    found = compare.differences((one.scores, two.scores), asked)
    others = compare.differences(tuple(reordered(each, order).scores for each in (one, two)), asked)
    for name, each in found.items():
        assert dataclasses.astuple(others[name]) == pytest.approx(dataclasses.astuple(each), rel=1e-12, nan_ok=True)


# The command


def test_two_runs(trained, worse, data, capsys):  # noqa: F811
    pattern = f"--eval_data_pattern={data}/eval*.tfrecord"
    found = compared(capsys, worse, trained, pattern, "--resamples=50")
    assert (found["clips"], found["resamples"], found["level"]) == (23, 50, 0.95)
    assert len(found["ids_sha256"]) == 64
    assert found["first"]["source"] == str(worse)
    better = found["figures"]["mAP"]
    assert better["difference"] == pytest.approx(better["second"] - better["first"])
    assert 0 < better["low"] < better["difference"] < better["high"]
    assert better["p"] == pytest.approx(2 / 51)
    assert compared(capsys, worse, trained, pattern, "--resamples=50") == found


def test_a_run_and_its_predictions(trained, data, tmp_path, capsys):  # noqa: F811
    assert predict(trained, data, tmp_path / "p.csv", "--top_k=5") == 0
    found = compared(
        capsys, trained, tmp_path / "p.csv", f"--eval_data_pattern={data}/eval*.tfrecord", "--resamples=40"
    )
    assert all(abs(each["difference"]) < 1e-9 and each["p"] == 1 for each in found["figures"].values())
    assert found["second"]["kind"] == "predictions"


def test_the_table(trained, data, capsys):  # noqa: F811
    pattern = f"--eval_data_pattern={data}/eval*.tfrecord"
    assert compare.main(["compare", str(trained), str(trained), pattern, "--resamples=40", "--level=0.9"]) == 0
    said = capsys.readouterr().out
    assert f"A: {trained} at step" in said
    assert "90 % interval" in said
    assert "+0.0000 to +0.0000" in said
    assert "23 clips, sha256 of their sorted ids " in said
    assert "40 resamples of the clips, the same for A and B" in said


def test_only_some_clips(trained, data, tmp_path, capsys):  # noqa: F811
    (tmp_path / "ids.txt").write_text("clip0001000\nclip0001001\nclip0001002\nclip0001006\n")
    pattern, ids = f"--eval_data_pattern={data}/eval*.tfrecord", f"--eval_ids={tmp_path}/ids.txt"
    assert compared(capsys, trained, trained, pattern, ids, "--resamples=40")["clips"] == 4


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--resamples=39"], "--resamples=39 must be at least 40"),
        (["--level=95"], "--level=95.0 must be between 0 and 1"),
    ],
)
def test_what_is_refused(asked, said, trained):  # noqa: F811
    with pytest.raises(UserError, match=said):
        compare.main(["compare", str(trained), str(trained), *asked])
