"""Which format an output has: by --output, and by the end of the file's name.

    output = format_for("labels", "predictions.csv", num_classes=527)
    output.header() + output.rows(predicted)

    --output     file ends in
    labels       .csv .jsonl .parquet     the best classes of each clip
    scores       .parquet .npz            all probabilities
    timeline     .csv                     a row a class and clip, segment or window
    audacity     .txt, or a folder        label tracks
    segments     .csv                     the best segments of each class

Behind one that is text `.gz` compresses it.
"""

from collections.abc import Sequence
from pathlib import PurePath

from yt8m_audio.errors import UserError, nearest
from yt8m_audio.prediction.audacity import AudacityTracks
from yt8m_audio.prediction.json_lines import JsonLines
from yt8m_audio.prediction.labels_csv import LabelsCsv
from yt8m_audio.prediction.parquet_files import LabelsParquet, ScoresParquet
from yt8m_audio.prediction.predicted import Format
from yt8m_audio.prediction.scores_npz import ScoresNpz
from yt8m_audio.prediction.segments_csv import SegmentsCsv
from yt8m_audio.prediction.timeline_csv import TimelineCsv

OUTPUTS = ("labels", "scores", "timeline", "audacity")
SEGMENTS = "segments"  # what --segment_labels writes
GZIP = ".gz"
PLAIN = (".txt", "")  # of labels: the starter code's CSV, as it takes any name


def format_for(
    output: str,
    output_file: str,
    *,
    num_classes: int,
    names: Sequence[str] | None = None,
    escape_formulas: bool = False,
    segment_max_pred: int = 100_000,
) -> Format:
    """Returns the format to write.

    Args:
        output: one of OUTPUTS, or SEGMENTS.
        output_file: where to, for its end.
        num_classes: how many classes the model has.
        names: display names by class index. In labels they are further columns; None leaves them out.
        escape_formulas: put an apostrophe before ids and names that a spreadsheet would take for a formula; CSV only.
        segment_max_pred: segments of a class that are listed.

    Returns:
        A Format; it has `combine` where it is not text.

    Raises:
        UserError: if there is no such output, the file's name does not fit it, or a library is missing.
    """
    formats = {
        "labels": {
            ".csv": lambda: LabelsCsv(names, escape_formulas),
            ".jsonl": lambda: JsonLines(names),
            ".parquet": lambda: LabelsParquet(names),
            **dict.fromkeys(PLAIN, lambda: LabelsCsv(names, escape_formulas)),
        },
        "scores": {".parquet": lambda: ScoresParquet(num_classes), ".npz": lambda: ScoresNpz(num_classes)},
        "timeline": {".csv": lambda: TimelineCsv(names, escape_formulas)},
        "audacity": {".txt": lambda: AudacityTracks(names, is_file=True), "": lambda: AudacityTracks(names)},
        SEGMENTS: {".csv": lambda: SegmentsCsv(segment_max_pred)},
    }
    if output not in formats:
        raise UserError(f"--output={output} is none of {', '.join(OUTPUTS)}.{nearest(output, OUTPUTS)}")
    suffix = PurePath(output_file).suffix.lower()
    is_compressed = suffix == GZIP
    if is_compressed:
        suffix = PurePath(output_file).with_suffix("").suffix.lower()
    make = formats[output].get(suffix)
    if make is None:
        known = ", ".join(each for each in formats[output] if each)
        raise UserError(f"--output_file={output_file}: the output {output} is written to files that end in {known}.")
    made = make()
    if is_compressed and hasattr(made, "combine"):
        raise UserError(f"--output_file={output_file}: only text is compressed: leave {GZIP} away.")
    return made
