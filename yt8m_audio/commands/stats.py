"""python -m yt8m_audio stats CSV_OR_GLOB: what lists of segments, strong labels or records hold, and what they miss.

python -m yt8m_audio stats balanced_train_segments.csv --csv=counts --plots=plots
python -m yt8m_audio stats 'features/bal_train/*.tfrecord' --against=balanced_train_segments.csv
"""

import dataclasses
import json

from yt8m_audio.audioset.clip_labels import ClipLabels, Difference, difference, labels_of_segments
from yt8m_audio.commands.segment_lists import read_lists
from yt8m_audio.commands.stats_facts import class_rows, facts_of, pair_rows
from yt8m_audio.commands.stats_files import write_files
from yt8m_audio.commands.stats_pictures import draw_all
from yt8m_audio.commands.stats_source import EVENTS, Counted, read_counted
from yt8m_audio.commands.stats_tables import show
from yt8m_audio.errors import UserError
from yt8m_audio.flags import POSITIONAL, parse

ABOUT = "Counts what lists of segments, strong labels or records hold: clips, labels, classes, pairs, missing ids."


@dataclasses.dataclass(frozen=True)
class StatsFlags:
    """What is counted, and where it goes.

    Attributes:
        source: List of AudioSet's segments (.csv; several with commas between), strong labels (.tsv), or a glob of
            records in quotes, of which labels and ids alone are read.
        against: List of AudioSet's segments that should all be there: ids that are missing, by class.
        top: Rows of the tables.
        csv: Folder to write the tables to, whole, as CSVs.
        plots: Folder to draw the plots to, as PNGs.
        json: Print JSON, with every class and no more pairs than --top.
        label_map: CSV with the columns index, mid and display_name. AudioSet's 527 classes when empty.
        num_classes: Classes of records, where neither they nor label_map tell.
        skip_corrupt_records: Leave corrupt records out and count them, rather than stop.
    """

    source: str = dataclasses.field(metadata=POSITIONAL)
    against: str = ""
    top: int = 10
    csv: str = ""
    plots: str = ""
    json: bool = False
    label_map: str = ""
    num_classes: int | None = None
    skip_corrupt_records: bool = False


def main(argv) -> int:
    """Prints the tables, or JSON."""
    asked = parse(argv, ABOUT, StatsFlags)
    counted = read_counted(asked.source, asked.label_map, asked.num_classes, asked.skip_corrupt_records)
    official, differing = read_against(asked, counted) if asked.against else (None, None)
    facts = facts_of(counted, official, differing)
    classes, pairs = class_rows(counted, official, differing), pair_rows(counted)
    if asked.csv:
        write_files(asked.csv, counted, classes, pairs, official, differing)
    if asked.plots:
        draw_all(asked.plots, counted, classes, asked.source)
    if asked.json:
        print(json.dumps({"source": asked.source, **facts, "classes": classes, "pairs": pairs[: asked.top]}, indent=2))
        return 0
    show(asked.source, asked.against, facts, classes, pairs, asked.top)
    for what, folder in (("Tables", asked.csv), ("Plots", asked.plots)):
        if folder:
            print(f"{what} are in {folder}.")
    return 0


def read_against(asked: StatsFlags, counted: Counted) -> tuple[ClipLabels, Difference]:
    """Reads the list of --against, and compares.

    Raises:
        UserError: if it is of other classes.
    """
    if counted.kind == EVENTS:
        raise UserError(f"--against={asked.against}: strong labels have other classes; compare records or lists.")
    if not counted.ids:
        raise UserError(f"--against={asked.against} needs classes with ids such as /m/09x0r: give a --label_map.")
    segments = read_lists(asked.against, asked.label_map, "against")
    official = labels_of_segments(segments, counted.clips.num_classes)
    return official, difference(counted.clips, official)
