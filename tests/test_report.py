"""The numbers behind a report, the files that it writes, and what hostile names and ids become in them."""

import json
import math
import os
import re

import numpy as np
import pandas as pd
import pytest

from yt8m_audio.commands.sources import Asked
from yt8m_audio.config import Config
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.clip_rankings import label_places
from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.json_values import as_json
from yt8m_audio.evaluation.metrics import average_precision_per_class
from yt8m_audio.evaluation.report import check_folder, write_report
from yt8m_audio.evaluation.report.class_table import class_table
from yt8m_audio.evaluation.report.confusions import confusions
from yt8m_audio.evaluation.report.content import make_tables, page_content
from yt8m_audio.evaluation.report.curves import precision_recall, reliability_bins
from yt8m_audio.evaluation.report.hardest import hardest_clips, video_url
from yt8m_audio.evaluation.report.model_card import code, flag, plain
from yt8m_audio.evaluation.report.ontology_tables import ontology_tables, violations
from yt8m_audio.evaluation.report.training_curves import training_curves
from yt8m_audio.evaluation.report.writing import staging_in
from yt8m_audio.evaluation.scores import Scores

HOSTILE = '</script><script>alert(1)</script>|`"&amp;\u2028'
GIVEN = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.6], [0.3, 0.1, 0.2], [0.6, 0.5, 0.4]], np.float32)
LABELS = np.array([[0, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0]], np.uint8)


def scores(given=GIVEN, labels=LABELS, rated=None, ids=None) -> Scores:
    ids = ids or [b"abcdefghi-%d" % number for number in range(len(labels))]
    start_times = np.arange(len(labels), dtype=np.float32)
    return Scores(given, labels, 1.0, rated, np.array(ids, object), start_times)


def evaluated(found=None, **more) -> Evaluated:
    found = found or scores()
    figures = evaluate(found.probabilities, found.labels, rated=found.rated)
    names = tuple(f"class {number}" for number in range(found.labels.shape[1]))
    about = {"kind": "predictions", "source": "p.csv", "eval_data_pattern": "eval/*"}
    return Evaluated(**{"scores": found, "figures": figures, "about": about, "class_names": names, **more})


def places(given=GIVEN, labels=LABELS):
    return label_places(given, labels != 0)


def test_figures_of_classes():
    table = class_table(evaluated(train_positives=np.array([5, 0, 7]), class_ids=("/m/a", "/m/b", "/m/c")))
    assert table["positives"].tolist() == [3, 2, 0]
    assert table["prior"].tolist() == [0.75, 0.5, 0]
    np.testing.assert_allclose(table["average_precision"], average_precision_per_class(GIVEN, LABELS))
    np.testing.assert_allclose(table["lift"][:2], table["average_precision"][:2] / [0.75, 0.5])
    assert table.loc[2, ["average_precision", "auc", "d_prime", "lwlrap", "lift"]].isna().all()
    assert table["train_positives"].tolist() == [5, 0, 7]
    assert "label_quality" not in table


def test_clips_that_were_not_rated_are_neither_in_auc_nor_in_the_prior():
    given = np.array([[0.9], [0.5], [0.7], [0.0], [0.0]], np.float32)
    labels = np.array([[1], [1], [0], [0], [0]], np.uint8)
    found = scores(given, labels, np.array([[True], [True], [True], [False], [False]]))
    row = class_table(evaluated(found)).iloc[0]
    assert row["auc"] == 0.5
    assert row["prior"] == pytest.approx(2 / 3)
    bins = reliability_bins(found)
    assert sum(each["pairs"] for each in bins) == 3


def test_confusions_count_what_is_above_and_not_true():
    table = confusions(GIVEN, LABELS != 0, places())
    rows = table.set_index(["true", "above"])
    assert rows.loc[(0, 1), ["clips", "of"]].tolist() == [1, 2]  # clip 1; clip 3 has both
    assert rows.loc[(0, 2), ["clips", "of"]].tolist() == [1, 3]
    assert rows.loc[(1, 0), ["clips", "of", "share"]].tolist() == [1, 1, 1]
    assert (1, 2) not in rows.index
    assert rows.loc[(0, 2), "times_usual"] == pytest.approx((1 / 3) / (1 / 5))  # 5 true pairs without class 2, 1 below
    assert (table["clips"].diff().dropna() <= 0).all()


def test_confusions_agree_with_a_plain_count():
    generator = np.random.default_rng(0)
    given, labels = generator.random((60, 7), np.float32), generator.random((60, 7)) < 0.3
    for row in confusions(given, labels, label_places(given, labels)).itertuples():
        chance = labels[:, row.true] & ~labels[:, row.above]
        assert row.of == chance.sum()
        assert row.clips == (chance & (given[:, row.above] > given[:, row.true])).sum()


def test_what_was_not_rated_is_in_no_confusion():
    rated = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 1]], bool)
    found = scores(rated=rated)
    rows = make_tables(evaluated(found)).confusions.set_index(["true", "above"])
    assert (0, 1) not in rows.index  # only clip 1 had class 1 above class 0
    assert rows.loc[(0, 2), ["clips", "of"]].tolist() == [1, 3]
    assert confusions(GIVEN, LABELS != 0, places(), rated).equals(make_tables(evaluated(found)).confusions)


def test_the_table_of_classes_ranks_what_was_not_rated_last():
    given, labels = np.array([[0], [0.9], [0], [0], [0]], np.float32), np.array([[1], [0], [0], [0], [0]], np.uint8)
    found = evaluated(scores(given, labels, np.array([[1], [1], [0], [0], [0]], bool)))
    row = class_table(found).iloc[0]
    assert (row["average_precision"], row["auc"], row["lift"]) == (0.5, 0, 1)
    assert page_content(found, make_tables(found))["curves"] == [[1000, 500]]


def test_the_hardest_clips_come_first():
    table = hardest_clips(scores(), places(), num_clips=2)
    assert table["clip"].tolist()[0] == 1
    first = table.iloc[0]
    assert (first["place"], first["true"], first["places"], first["guesses"]) == (3, [0], [3], [1, 2, 0])
    loss = -math.log(0.2 + 1e-5) - math.log(0.3 + 1e-5) - math.log(0.4 + 1e-5)
    assert first["loss"] == pytest.approx(loss, rel=1e-5)
    assert first["url"] == "https://www.youtube.com/watch?v=abcdefghi-1&t=1"
    assert table["place"].is_monotonic_decreasing


def test_a_clip_without_labels_is_not_hard():
    labels = np.array([[0, 0, 0], [1, 0, 0]], np.uint8)
    table = hardest_clips(scores(GIVEN[:2], labels), places(GIVEN[:2], labels))
    assert table["clip"].tolist() == [1]


@pytest.mark.parametrize(
    "video_id",
    [b"abcd", b"abcdefghijkl", b"abcdefghi<j", b'" onclick="', b"abcdefghij\n", b"\xff" * 11, "ä".encode() * 5],
)
def test_what_is_no_youtube_id_gets_no_link(video_id):
    assert video_url(video_id, 30) == ""


def test_a_link_opens_at_the_second():
    assert video_url(b"-_3456789aB", 30.9) == "https://www.youtube.com/watch?v=-_3456789aB&t=30"


def test_the_area_under_a_curve_is_the_average_precision():
    generator = np.random.default_rng(1)
    given, labels = np.round(generator.random(80), 2), generator.random(80) < 0.4
    points = precision_recall(given, labels, 1000)
    area = np.sum(np.diff(points[:, 0], prepend=0) * points[:, 1])
    assert area == pytest.approx(average_precision_per_class(given[:, None], labels[:, None])[0])
    thinned = precision_recall(given, labels, 5)
    assert thinned.shape == (5, 2)
    assert thinned[[0, -1]].tolist() == points[[0, -1]].tolist()


def test_scores_that_are_no_probabilities_have_no_reliability():
    assert reliability_bins(scores(5 * GIVEN)) is None
    assert page_content(found := evaluated(scores(5 * GIVEN)), make_tables(found))["reliability"] == []


def test_json_has_no_nan_and_no_numpy():
    value = {"a": [np.float32(0.123456), math.nan, np.inf], 1: (np.int64(3), np.bool_(True), None), "b": b"\xff"}
    assert as_json(value, 3) == {"a": [0.123, None, None], "1": [3, True, None], "b": "\\xff"}
    assert as_json(np.array([[1.5, np.nan]])) == [[1.5, None]]


def test_curves_of_training_leave_out_what_is_no_number():
    rows = [{"part": "train", "step": 1, "Loss": 100.0}, {"part": "train", "step": 2, "Loss": math.nan}]
    rows += [
        {"part": "train", "step": 3, "Loss": 2.0},
        {"part": "validation", "step": 3, "mAP": 0.5},
        {"part": "train"},
    ]
    loss, mean_average_precision = training_curves(rows)
    assert loss["series"] == [{"part": "train", "place": 0, "points": [[1, 100.0], [3, 2.0]]}]
    assert loss["log"]
    assert mean_average_precision["name"] == "mAP"
    assert not mean_average_precision["log"]


def test_long_curves_are_thinned_and_keep_their_ends():
    rows = [{"part": "train", "step": step, "GAP": 0.5} for step in range(1000)]
    points = training_curves(rows)[0]["series"][0]["points"]
    assert len(points) == 300
    assert (points[0][0], points[-1][0]) == (0, 999)


def test_tables_of_the_ontology():
    animal = {"Animal": {"classes": 2, "mAP": 0.5, "auc": math.nan}}
    assert [column["key"] for column in ontology_tables({"branches": animal})[0]["columns"]] == [
        "mAP",
        "auc",
        "classes",
    ]
    found = {"branches": animal, "depths": {1: {"classes": 3, "mAP": 0.1}}, "leaves": {}}
    rates = {"pairs": 4, "rate": 0.25, "rate_of_true": math.nan, "rate_of_labels": 0.5, "clips": 1.0}
    assert [table["title"] for table in ontology_tables(found)] == ["By branch", "By steps below a root"]
    assert "in 25.0 % of all clips and pairs, and in – of those" in violations({**found, "violations": rates})
    assert (ontology_tables(None), violations(animal)) == ([], "")


def report(folder, **more):
    return write_report(folder, evaluated(**more)).read_text(encoding="utf-8")


def embedded(html: str) -> dict:
    def refuse(constant):
        raise AssertionError(constant)

    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    return json.loads(text, parse_constant=refuse)


def test_hostile_names_ids_and_settings_do_not_get_out_of_their_quotes(tmp_path):
    found = scores(ids=[HOSTILE.encode(), b"\xff<b>", b"a" * 11, b""])
    settings = {
        "model": {"model": HOSTILE, "hyper_parameters": {HOSTILE: HOSTILE}},
        "data": {"train_data_pattern": "a`b```c"},
    }
    about = {"kind": "predictions", "source": HOSTILE, HOSTILE: HOSTILE}
    more = {"class_names": (HOSTILE,) * 3, "class_ids": (HOSTILE,) * 3, "settings": settings, "about": about}
    html = report(tmp_path / "report", found=found, branches={"branches": {HOSTILE: {"mAP": 0.5}}}, **more)
    assert html.lower().count("</script>") == 2
    assert "<script>alert" not in html
    assert "<b>" not in html
    data = embedded(html)
    assert data["classes"]["name"] == [HOSTILE] * 3
    assert {clip["video_id"] for clip in data["hardest"]} == {HOSTILE, "\\xff<b>", "a" * 11, ""}
    assert [clip["video_id"] for clip in data["hardest"] if clip["url"]] == ["a" * 11]
    assert pd.read_csv(tmp_path / "report" / "classes.csv")["name"].tolist() == [HOSTILE] * 3
    card = (tmp_path / "report" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "<script" not in card.replace("\\<", "").split("```sh")[0]
    assert card.count("\n```\n") == 1


def test_every_file_says_what_is_undefined(tmp_path):
    html = report(tmp_path, intervals={"mAP": (0.1, 0.9)}, label_quality=np.array([1.0, np.nan, 0.5]))
    data = embedded(html)
    assert data["classes"]["auc"][2] is None
    assert data["curves"][2] is None
    assert data["classes"]["label_quality"] == [1, None, 0.5]
    figures = json.loads((tmp_path / "figures.json").read_text(), parse_constant=pytest.fail)
    assert figures["intervals"] == {"mAP": [0.1, 0.9]}
    assert (figures["classes_with_positives"], figures["classes_without_positives"]) == (2, 1)
    assert "1 classes have no positives" in (tmp_path / "MODEL_CARD.md").read_text()


def test_the_files_and_what_an_earlier_report_left(tmp_path):
    folder = tmp_path / "a" / "report"
    report(folder)
    (folder / "mine.txt").write_text("kept")
    (folder / "clips.csv").write_text("old")
    report(folder)
    wanted = {"index.html", "MODEL_CARD.md", "classes.csv", "clips.csv", "confusions.csv", "figures.json", "mine.txt"}
    assert {path.name for path in folder.iterdir()} - {"classes.parquet"} == wanted
    assert pd.read_csv(folder / "clips.csv")["guesses"][0] == "class 1|class 2|class 0"
    assert [path.name for path in folder.parent.iterdir()] == ["report"]


def test_parquet_where_it_can_be_written(tmp_path):
    pytest.importorskip("pyarrow", reason="no pyarrow: the report has CSV alone")
    report(tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "classes.parquet"), pd.read_csv(tmp_path / "classes.csv"))


def test_a_disk_that_is_full_leaves_the_earlier_report(tmp_path, monkeypatch):
    before = report(tmp_path / "report")

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(UserError, match=r"--report=.*/report: classes\.csv cannot be written: No space left on device"):
        report(tmp_path / "report", class_names=("a", "b", "c"))
    assert (tmp_path / "report" / "index.html").read_text(encoding="utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_report_that_fails_leaves_no_folder(tmp_path, monkeypatch):
    check_folder(tmp_path / "new" / "report")
    assert list(tmp_path.iterdir()) == []

    def full(*arguments, **named):
        raise OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(UserError, match=r"/report: classes\.parquet cannot be written: No space left on device\.$"):
        report(tmp_path / "new" / "report")
    assert list(tmp_path.iterdir()) == []


def test_files_are_moved_within_the_folder_and_the_page_last(tmp_path, monkeypatch):
    moved, replace = [], os.replace

    def noted(before, after):
        moved.append((before.parent.parent, after.name))
        replace(before, after)

    monkeypatch.setattr(os, "replace", noted)
    report(tmp_path)
    assert {folder for folder, _ in moved} == {tmp_path}
    assert [name for _, name in moved][-2:] == ["figures.json", "index.html"]


def test_a_folder_that_cannot_be_written_is_known_before(tmp_path):
    staging_in(tmp_path).mkdir()  # what stands in the way, whoever runs this
    with pytest.raises(UserError, match=r"--report=.* cannot be written: File exists"):
        check_folder(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--report=.*file is a file: name a folder"):
        check_folder(tmp_path / "file")


def test_no_labels_at_all(tmp_path):
    found = evaluated()
    none = Evaluated(scores(labels=np.zeros_like(LABELS)), found.figures, found.about, found.class_names)
    with pytest.raises(UserError, match="at least one label"):
        write_report(tmp_path / "report", none)


def test_the_model_card_says_how_to_do_it_again(tmp_path):
    settings = Config().to_dict()
    settings["data"] |= {"train_data_pattern": "my files/*.tfrecord", "validation_percent": 10, "frame_features": True}
    settings["model"] |= {"model": "LstmModel", "hyper_parameters": {"lstm_cells": 256}}
    about = {"kind": "run", "source": "runs/a", "step": 7, "held_out": True, "eval_data_pattern": "e/*"}
    report(tmp_path, settings=settings, about=about, label_quality=np.array([0.9, np.nan, 0.5]))
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (
        "python train.py --train_data_pattern='my files/*.tfrecord' --validation_percent=10 --frame_features "
        "--model=LstmModel --lstm_cells=256 --num_epochs=5 --seed=0 --train_dir=runs/a-again\n"
        "python eval.py --train_dir=runs/a --eval_data_pattern='e/*' --held_out --checkpoint=7\n"
    ) in card
    assert "70% had a right label in the median class, 50% in the worst" in card
    assert "less 10 % of the clips" in card


def test_the_model_card_has_every_flag_that_the_figures_depend_on(tmp_path):
    asked = Asked("e/*", segment_labels=True, num_classes=3, label_map="a b.csv", skip_corrupt_records=True)
    about = {"kind": "predictions", "source": "p.csv", "eval_data_pattern": "e/*", **asked.stated()}
    report(tmp_path, about={**about, "top_k": 5, "bootstrap": 100})
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (
        "python eval.py --predictions=p.csv --eval_data_pattern='e/*' --segment_labels --num_classes=3 "
        "--label_map='a b.csv' --skip_corrupt_records --top_k=5 --bootstrap=100\n"
    ) in card
    assert Asked("e/*", batch_size=7).stated() == {}


def test_a_model_card_has_the_branches_that_begin_at_a_root(tmp_path):
    branches = {name: {"classes": 1, "mAP": 0.5} for name in ("Animal", "Animal > Wild animals")}
    report(tmp_path, branches={"branches": branches, "depths": {"depth 1": {"classes": 3, "mAP": 0.1}}})
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| Animal | 0.5000 | 1 |\n\nBy steps below a root:" in card


def test_text_in_a_model_card_is_no_markup():
    assert plain("a_b|*c*\n<d>") == r"a\_b\|\*c\* \<d\>"
    assert (code("a b"), code("a`b``c")) == ("`a b`", "``` a`b``c ```")
    assert (flag("held_out", False), flag("a", "x;y")) == ("--noheld_out", "--a='x;y'")
