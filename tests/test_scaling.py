"""The arithmetic of docs/scaling.md."""

import dataclasses
from pathlib import Path

import pytest

import models  # noqa: F401  registers the models
from benchmarks.scaling import WORKS, Machine, Passes, Product, Step, Work, parameters_of, rates, row_of, step, tables
from yt8m_audio.commands.model_cost import cost
from yt8m_audio.registry import MODELS

ROOT = Path(__file__).parents[1]
ONE = Machine("one", chips=1, hosts=1, flops=1e6, memory=1e5, links=1e4, host=1e6)
WORK = Work("", 10, (2,), 5, (Product(1, 10, 10),), (Passes("", 50, 4),), kept=0)  # 200 FLOPs, 33 bytes to a device


@pytest.fixture(scope="module")
def parameters():
    return [parameters_of(work) for work in WORKS]


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_the_products_are_those_of_the_model(work):
    counted = cost(MODELS.get(work.model), work.num_frames, work.feature_sizes, work.num_classes)
    assert work.flops == counted.flops
    weights = sum(product.inputs * product.units for product in work.products)
    assert 0.99 * counted.parameters < weights < counted.parameters  # the rest are biases and normalisations


def test_a_product_takes_its_flops_or_its_bytes():
    assert step(WORK, 0, ONE, batch_size=100) == Step(
        matrix=3 * 100 * 200 / 1e6,
        products=3 * 2 * (100 * 20 + 100) / 1e5,  # longer than the FLOPs take
        passes=100 * 50 * 4 * 2 / 1e5,
        weights=0.0,
        all_reduce=0.0,
    )
    fast_memory = step(WORK, 0, dataclasses.replace(ONE, memory=1e9), batch_size=100)
    assert fast_memory.products == fast_memory.matrix


def test_weights_are_read_at_each_turn():
    assert Product(10, 3, 4, turns=10).bytes(8) - Product(10, 3, 4).bytes(8) == 9 * 2 * 3 * 4


@pytest.mark.parametrize(("chips", "sent"), [(1, 0.0), (2, 1.0), (4, 1.5)])
def test_gradients_are_reduced_once_in_float32(chips, sent):
    took = step(WORK, 1000, dataclasses.replace(ONE, chips=chips))
    assert took.all_reduce == pytest.approx(sent * 4 * 1000 / 1e4)


@pytest.mark.parametrize(
    ("machine", "reading", "bound"),
    [
        ({"memory": 1e12}, 1e9, "matrix products"),
        ({"flops": 1e12}, 1e9, "memory traffic"),
        ({"flops": 1e12, "memory": 1e12, "chips": 2, "links": 1.0}, 1e9, "all-reduce"),
        ({"flops": 1e12, "memory": 1e12, "host": 33.0}, 1e9, "PCIe"),
        ({}, 2.0, "reading"),
    ],
)
def test_the_slowest_bounds(machine, reading, bound):
    found = rates(WORK, 1000, dataclasses.replace(ONE, **machine), reading)
    assert found.bound == bound
    assert found.given == min(found.devices, found.host, found.reading)


def test_a_row_is_found_by_its_first_cell():
    page = "| a b | 1 | 2 clips/s |\n| a | 3 |\n"
    assert row_of(page, "a b") == ["1", "2 clips/s"]
    with pytest.raises(ValueError, match="row that begins with 'b'"):
        row_of(page, "b")


def test_the_page_holds_what_comes_out(parameters):
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    build = (ROOT / "BUILD.md").read_text(encoding="utf-8")
    for name, text in tables(build, parameters).items():
        assert text in page, f"{name} is old: run python -m benchmarks.scaling"
