"""A report's page in a browser: it loads nothing else; what clicks and keys do; dark, narrow and printed."""

import numpy as np
import pytest

from tests.browser import chromium, open_page
from yt8m_audio.evaluation import evaluate
from yt8m_audio.evaluation.evaluated import Evaluated
from yt8m_audio.evaluation.report import write_report
from yt8m_audio.evaluation.scores import Scores

NUM_CLIPS, NUM_CLASSES = 200, 60
HOSTILE = "<img src=http://localhost/x onerror=alert(1)>"
pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium: its tests need one on PATH, or CHROMIUM")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report with all that a page can have."""
    generator = np.random.default_rng(0)
    labels = (generator.random((NUM_CLIPS, NUM_CLASSES)) < 0.1).astype(np.uint8)
    labels[:, 3] = 0
    noise = generator.normal(size=labels.shape) - 3 + 3 * labels * np.linspace(0, 1, NUM_CLASSES)
    ids = np.array([b"abcdefg-%03d" % number for number in range(NUM_CLIPS)], object)
    given = (1 / (1 + np.exp(-noise))).astype(np.float32)
    scores = Scores(given, labels, 1.0, None, ids, np.full(NUM_CLIPS, 30, np.float32))
    figures = evaluate(given, labels)
    evaluated = Evaluated(
        scores,
        figures,
        {"kind": "run", "source": "runs/a", "ids_sha256": "0123456789abcdef" * 4, "eval_data_pattern": "a/" * 60},
        (HOSTILE, *(f"Class number {index}" for index in range(1, NUM_CLASSES))),
        intervals={name: (value - 0.01, value + 0.01) for name, value in figures.items() if name != "clips"},
        train_positives=np.arange(NUM_CLASSES),
        label_quality=np.linspace(0, 1, NUM_CLASSES),
        class_ids=tuple(f"/m/{index:05d}" for index in range(NUM_CLASSES)),
        training_curves=[{"part": "train", "step": step, "Loss": 1 / step, "GAP": 0.5} for step in range(1, 9)],
        settings={"model": {"model": "AModelWithANameOfMoreLettersThanAreOnALine"}, "data": {"pattern": "x" * 300}},
        branches={"branches": {"Animal": {"classes": 4, "mAP": 0.25, "auc": 0.75}}},
    )
    return write_report(tmp_path_factory.mktemp("report"), evaluated)


@pytest.fixture(scope="module")
def browser(path):
    """One browser for all tests of this file."""
    with open_page(path) as page:
        yield page


@pytest.fixture
def page(browser, path):
    """The page as it is at first, in light colours and 1280 pixels wide."""
    browser.scheme("light")
    browser.size(1280, 900)
    browser.open(path)
    yield browser
    assert browser.errors == []
    assert set(browser.requests) <= {path.resolve().as_uri(), "about:blank"}


FIRST_CELLS = "[...document.querySelectorAll('#class-table tbody tr')].map(row => row.cells[0].innerText.trim())"
CHIPS = "document.querySelectorAll('#chosen li').length"
LINES = "document.querySelectorAll('#curves path.line').length"


def column(page, index: int) -> list[str]:
    return page.run(f"[...document.querySelectorAll('#class-table tbody tr')].map(row => row.cells[{index}].innerText)")


def sort_by(page, index: int) -> str:
    """Clicks a heading, and returns its aria-sort."""
    head = f"document.querySelectorAll('#class-table thead th')[{index}]"
    page.run(f"{head}.querySelector('button').click()")
    return page.run(f"{head}.getAttribute('aria-sort')")


def test_all_sections_are_there(page):
    shown = page.run(
        "[...document.querySelectorAll('main > section')].filter(each => !each.hidden).map(each => each.id)"
    )
    assert len(shown) == 9
    assert page.run("document.querySelectorAll('nav a').length") == 9
    charts = page.run("[...document.querySelectorAll('.chart svg')].map(each => each.children.length)")
    assert len(charts) == 6
    assert min(charts) > 10
    assert (
        page.run("document.querySelectorAll('#scatter circle').length") == NUM_CLASSES - 2
    )  # without positives, untrained


def test_a_click_on_a_heading_sorts(page):
    before = page.run(FIRST_CELLS)
    assert sort_by(page, 1) == "ascending"  # it is sorted by AP at first, best on top
    assert page.run(FIRST_CELLS) != before
    assert sort_by(page, 6) == "descending"
    positives = [int(cell) for cell in column(page, 6)]
    assert positives == sorted(positives, reverse=True)
    assert sort_by(page, 6) == "ascending"
    assert page.run("document.querySelectorAll('#class-table th[aria-sort=none]').length") == 9


def test_what_is_undefined_comes_last_both_ways(page):
    page.run("document.querySelector('#class-table .more').click()")
    for _ in range(2):
        sort_by(page, 2)
        assert column(page, 2)[-1] == "–"
    assert len(column(page, 2)) == NUM_CLASSES


def test_search_filters(page):
    page.run(
        "const field = document.getElementById('class-table-search');"
        "field.value = 'NUMBER 5'; field.dispatchEvent(new Event('input'))"
    )
    assert set(page.run(FIRST_CELLS)) == {f"Class number {index}" for index in range(1, 60) if "5" in str(index)}
    assert page.run("document.querySelector('#class-table [role=status]').innerText") == "15 of 60 classes"


def test_a_click_on_a_class_draws_its_curve(page):
    assert (page.run(CHIPS), page.run(LINES)) == (3, 3)
    page.run("document.querySelector('#class-table tbody tr:not(.picked)').click()")
    assert (page.run(CHIPS), page.run(LINES)) == (4, 4)
    page.run("document.querySelector('#chosen button').click()")
    assert (page.run(CHIPS), page.run(LINES)) == (3, 3)


def test_a_class_is_added_by_name(page):
    page.run(
        "document.getElementById('add-class').value = 'class number 59'; document.getElementById('add').requestSubmit()"
    )
    assert "Class number 59" in page.run("document.getElementById('chosen').innerText")
    page.run("document.getElementById('add-class').value = 'no such'; document.getElementById('add').requestSubmit()")
    assert "No class is called" in page.run("document.getElementById('said').innerText")
    page.run("document.getElementById('add-class').value = 'number 3'; document.getElementById('add').requestSubmit()")
    assert "no positives" in page.run("document.getElementById('said').innerText")


def test_the_chart_holds_six_classes(page):
    for _ in range(5):
        page.run("document.querySelector('#class-table tbody tr:not(.picked)').click()")
    assert (page.run(CHIPS), page.run(LINES)) == (6, 6)
    assert "holds 6" in page.run("document.getElementById('said').innerText")


def test_keys_alone_sort_and_choose(page):
    page.run("document.querySelector('#class-table thead button').focus()")
    page.press("Enter")
    assert page.run("document.querySelector('#class-table th').getAttribute('aria-sort')") == "ascending"
    page.run("document.querySelector('#class-table tbody tr:not(.picked) button').focus()")
    page.press("Enter")
    assert page.run(CHIPS) == 4
    assert page.run("document.activeElement.getAttribute('aria-pressed')") == "true"  # the focus stays where it was


def test_a_point_names_its_class(page):
    x, y = page.run(
        "document.getElementById('scatter').scrollIntoView({behavior: 'instant'});"
        "(({x, y}) => [x + 4, y + 4])(document.querySelector('#scatter circle').getBoundingClientRect())"
    )
    page.move(x, y)
    assert page.run("document.getElementById('tooltip').hidden") is False
    assert "AP 0." in page.run("document.getElementById('tooltip').innerText")


def test_hostile_names_are_text(page):
    assert page.run("document.images.length") == 0
    assert HOSTILE in page.run(
        "document.getElementById('class-table').innerText + document.getElementById('worst').innerText"
    )


def test_links_open_the_video_at_the_second(page):
    link = page.run("document.querySelector('#hardest-table a').href")
    assert link.startswith("https://www.youtube.com/watch?v=abcdefg-")
    assert link.endswith("&t=30")


BACKGROUND = "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color"


def test_dark_colours_by_the_system_and_by_the_button(page):
    light = page.run(BACKGROUND)
    page.scheme("dark")
    dark = page.run(BACKGROUND)
    assert dark != light
    for wanted in (light, dark, dark):  # light, dark, and again as the system has it
        page.run("document.getElementById('theme').click()")
        assert page.run(BACKGROUND) == wanted


@pytest.mark.parametrize("width", [390, 320])
def test_a_phone_scrolls_tables_and_not_the_page(page, width):
    page.size(width, 844)
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.run("document.querySelector('#class-table .scroll').scrollWidth") > width
    assert page.run("document.querySelector('#scatter svg').getBoundingClientRect().right") <= width
    assert page.run("getComputedStyle(document.querySelector('#scatter text')).fontSize") == "12px"


def test_a_phone_shows_the_figures_of_a_branch_first(page):
    page.size(390, 844)
    heads = "[...document.querySelectorAll('#ontology-tables thead th')]"
    assert page.run(f"{heads}.map(head => head.innerText.trim())") == ["Group", "mAP", "AUC", "Classes"]
    assert page.run(f"{heads}[2].getBoundingClientRect().right") <= 390


def test_it_prints_in_light_colours_without_what_is_to_click(page):
    page.scheme("dark")
    page.ask("Emulation.setEmulatedMedia", media="print")
    assert "rgb(255, 255, 255)" in page.run(BACKGROUND)
    assert page.run("getComputedStyle(document.getElementById('theme')).display") == "none"
    page.ask("Emulation.setEmulatedMedia", media="")
