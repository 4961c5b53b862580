"""Figures by group of classes and by branch of the ontology, and scores that contradict it."""

import json
import math

import numpy as np
import pytest
from rich.console import Console

from yt8m_audio.audioset.class_ids import class_ids_for
from yt8m_audio.audioset.ontology import read_ontology
from yt8m_audio.commands.ontology_figures import class_groups, class_pairs, ontology_figures, ontology_tables
from yt8m_audio.errors import UserError
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.branches import branch_figures, violations

SCORES = np.array([[0.9, 0.1, 0.5, 0.2], [0.8, 0.7, 0.5, 0.1], [0.1, 0.6, 0.5, 0.3], [0.2, 0.2, 0.5, 0.9]])
LABELS = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
TREE = {"animal": ["dog", "cat"], "dog": ["bark"], "cat": [], "bark": [], "sound": ["noise"], "noise": ["bark"]}


@pytest.fixture(scope="module")
def ontology(tmp_path_factory):
    """Animal > (Dog > Bark, Cat) and Sound > Noise > Bark."""
    path = tmp_path_factory.mktemp("ontology") / "ontology.json"
    path.write_text(json.dumps([{"id": mid, "name": mid.title(), "child_ids": each} for mid, each in TREE.items()]))
    return read_ontology(str(path))


def random_set(num_clips, num_classes, seed=0):
    random = np.random.default_rng(seed)
    labels = random.random((num_clips, num_classes)) < 0.2
    return (random.random((num_clips, num_classes)) + labels).astype(np.float32) / 2, labels


# Groups


def test_a_group_has_the_means_of_its_classes():
    found = branch_figures(SCORES, LABELS, {"pair": [0, 1], "ties": [2]})
    # class 0: true at ranks 1 and 4; class 1: true at ranks 1 and 2
    assert found["pair"]["mAP"] == pytest.approx(((1 + 2 / 4) / 2 + 1) / 2)
    assert found["pair"]["auc"] == pytest.approx((2 / 4 + 1) / 2)
    assert found["pair"]["d_prime"] == pytest.approx(math.sqrt(2) * 0.6744897501960817)
    assert {name: found["pair"][name] for name in ("classes", "with_positives", "positives")} == {
        "classes": 2,
        "with_positives": 2,
        "positives": 4,
    }
    assert (found["ties"]["mAP"], found["ties"]["auc"], found["ties"]["d_prime"]) == (0.25, 0.5, 0)


def test_all_classes_give_what_evaluate_gives():
    scores, labels = random_set(200, 9)
    figures, found = evaluate(scores, labels), branch_figures(scores, labels, {"all": range(9)})["all"]
    assert {name: found[name] for name in ("mAP", "auc", "d_prime")} == pytest.approx(
        {name: figures[name] for name in ("mAP", "auc", "d_prime")}
    )


def test_all_classes_of_segments_give_what_evaluate_gives():
    scores, labels = random_set(200, 9)
    rated = np.random.default_rng(1).random(labels.shape) < 0.3
    scores, labels = scores * rated * (scores > 0.6), labels & rated  # 0 also of rated ones
    figures = evaluate(scores, labels, rated=rated)
    found = branch_figures(scores, labels, {"all": range(9)}, rated=rated)["all"]
    assert all(found[name] == pytest.approx(figures[name]) for name in ("mAP", "auc", "d_prime"))


def test_classes_without_positives_are_left_out_of_the_means():
    found = branch_figures(SCORES, LABELS, {"some": [1, 3], "none": [3]})
    assert (found["some"]["classes"], found["some"]["with_positives"], found["some"]["mAP"]) == (2, 1, 1)
    assert found["some"]["d_prime"] == pytest.approx(math.sqrt(2) * 1.1503493803760079)  # AUC 1 is 1 - 1/8
    assert all(math.isnan(found["none"][name]) for name in ("mAP", "auc", "d_prime"))
    assert found["none"]["positives"] == 0


def test_a_class_that_is_named_twice_counts_once():
    assert branch_figures(SCORES, LABELS, {"x": [1, 0, 1]}) == branch_figures(SCORES, LABELS, {"x": [0, 1]})


@pytest.mark.parametrize("classes", [[], [-1], [0, 4]])
def test_groups_of_classes_that_are_not_there(classes):
    with pytest.raises(UserError, match=r"The group x must hold classes from 0 to 3, one at least"):
        branch_figures(SCORES, LABELS, {"x": classes})


# Violations


def test_a_child_above_its_parent_is_a_violation_and_a_tie_is_none():
    found = violations(SCORES, LABELS, [(0, 1), (3, 2), (1, 3)])
    # 0 above 1 in clips 0 and 1 (equal in 3); 3 above 2 in clip 3; 1 above 3 in clips 1 and 2
    assert found["pairs"] == 3
    assert found["rate"] == 5 / 12
    assert found["rate_of_true"] == 3 / 4  # 0 is true in clips 0 and 2, 1 in clips 1 and 2, 3 in none
    assert found["rate_of_labels"] == 3 / 4  # 0 without 1 in clip 0, 1 without 3 in clips 1 and 2
    assert found["clips"] == 1


def test_blocks_of_clips_add_up():
    scores, labels = random_set(3000, 6)
    pairs = [(0, 1), (1, 2), (5, 2), (5, 0)]
    above = np.stack([scores[:, child] > scores[:, parent] for child, parent in pairs], axis=1)
    true = labels[:, [child for child, _ in pairs]]
    without = ~labels[:, [parent for _, parent in pairs]]
    wanted = {"rate": above.mean(), "rate_of_true": above[true].mean(), "rate_of_labels": without[true].mean()}
    wanted["clips"] = above.any(axis=1).mean()
    assert violations(scores, labels, pairs) == pytest.approx({"pairs": 4, **wanted})


def test_a_pair_counts_where_both_of_its_classes_were_rated():
    scores, labels = [[0.0, 0.9], [0.5, 0.0], [0.5, 0.4], [0.1, 0.2]], [[0, 1], [1, 0], [1, 0], [0, 0]]
    found = violations(scores, labels, [(0, 1)], rated=[[0, 1], [1, 0], [1, 1], [1, 1]])
    assert found == {"pairs": 1, "rate": 1 / 2, "rate_of_true": 1, "rate_of_labels": 1, "clips": 1 / 2}
    assert violations(scores, labels, [(0, 1)])["rate"] == 2 / 4


def test_without_pairs_or_true_children_there_is_no_rate():
    assert all(
        math.isnan(violations(SCORES, LABELS, [])[name]) for name in ("rate", "rate_of_true", "rate_of_labels", "clips")
    )
    found = violations(SCORES, LABELS, [(3, 0)])
    assert found["rate"] == 2 / 4
    assert math.isnan(found["rate_of_true"])


# The ontology


def test_groups_of_the_ontology(ontology):
    groups = class_groups(ontology, ["bark", "dog", "animal", "cat"])  # neither sound nor noise is a class
    assert groups["branches"] == {
        "Animal": [0, 1, 2, 3],
        "Animal > Dog": [0, 1],
        "Animal > Cat": [3],
        "Sound": [0],
        "Sound > Noise": [0],
    }
    assert groups["depths"] == {"depth 0": [2], "depth 1": [1, 3], "depth 2": [0]}
    assert groups["leaves"] == {"leaves": [0, 3], "inner classes": [1, 2]}


def test_pairs_of_the_ontology(ontology):
    assert class_pairs(ontology, ["bark", "dog", "animal", "noise"]) == [(0, 1), (0, 3), (1, 2)]
    assert class_pairs(ontology, ["bark", "animal"]) == []  # dog, between them, is no class


def test_figures_of_the_ontology(ontology):
    found = ontology_figures(SCORES, LABELS, ontology, ["bark", "dog", "animal", "cat"])
    assert found["branches"]["Animal"]["mAP"] == pytest.approx(evaluate(SCORES, LABELS)["mAP"])
    assert found["leaves"]["leaves"]["positives"] == 2
    assert found["violations"] == violations(SCORES, LABELS, [(0, 1), (1, 2), (3, 2)])


@pytest.mark.parametrize(
    ("class_ids", "said"),
    [
        (["bark", "dog", "animal", "cow"], "cow is no node of .*ontology.json"),
        (
            ["bark", "dog"],
            "needs the id, such as /m/09x0r, of each of the 4 classes, and there are 2: give a --label_map",
        ),
    ],
)
def test_classes_that_are_not_in_the_ontology(class_ids, said, ontology):
    with pytest.raises(UserError, match=said):
        ontology_figures(SCORES, LABELS, ontology, class_ids)


def test_the_tables_say_every_group(ontology, capsys):
    for table in ontology_tables(ontology_figures(SCORES, LABELS, ontology, ["bark", "dog", "animal", "cat"])):
        Console(width=100).print(table)
    text = capsys.readouterr().out
    for said in ("Animal > Dog", "depth 2", "inner classes", "of all clips × pairs", "41.67%", "0.6667"):
        assert said in text
    assert "By branch" in text
    assert "nan" in text  # Cat has no positives


def test_audiosets_own(audioset):
    real = read_ontology(str(audioset / "metadata" / "ontology.json"))
    scores, labels = random_set(300, 527)
    found = ontology_figures(scores, labels, real, class_ids_for("", 527))
    assert (found["leaves"]["leaves"]["classes"], found["leaves"]["inner classes"]["classes"]) == (401, 126)
    assert sum(each["classes"] for each in found["depths"].values()) == 527
    assert [found["branches"][name]["classes"] for name in ("Human sounds", "Animal", "Music")] == [72, 65, 150]
    assert found["violations"]["pairs"] == 378
