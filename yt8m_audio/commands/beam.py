"""python -m yt8m_audio beam --FLAGS -- --BEAM_FLAGS: inference over many machines, as an Apache Beam pipeline.

The flags are inference.py's, and so are the lines. What stands behind `--` is Beam's: which runner, where, how many.
`beam extract SOUNDS OUT --FLAGS -- --BEAM_FLAGS` is `extract` in the same way.
"""

import dataclasses
import logging
import os
from collections.abc import Sequence
from typing import Any

from yt8m_audio.config import DataConfig, ModelConfig, check_ranges
from yt8m_audio.errors import UserError
from yt8m_audio.flags import HELP, InferenceFlags, Parser, quieten_tensorflow

BEHIND = (
    "\n\nBeam's own flags stand behind --, at the end: -- --runner=DirectRunner "
    "--direct_running_mode=multi_processing --direct_num_workers=2\n`beam -- --help` lists them."
)
INSTALL = "pip install 'yt8m-audio[beam]', or make env PROFILE=beam"
EXTRACT = "extract"


@dataclasses.dataclass(frozen=True)
class BeamFlags:
    """What becomes of what fails.

    Attributes:
        failures: CSV to write what cannot be predicted or extracted to: file, number in it, place in it and reason. It
            is counted alone when empty.
    """

    failures: str = ""


def main(argv) -> int:
    """Runs the pipeline; returns the exit status."""
    ours, beams = at_dashes(argv)
    return extract(ours, beams) if ours[1:2] == [EXTRACT] else predict(ours, beams)


def predict(ours: Sequence[str], beams: Sequence[str]) -> int:
    """Predicts as inference.py does."""
    about = f"Predicts clips as inference.py does, as an Apache Beam pipeline.{BEHIND}"
    asked, more = parsed(ours, beams, about, InferenceFlags, (DataConfig, ModelConfig))
    from yt8m_audio.commands import beam_inference

    return beam_inference.predict(asked, more.failures, beams)


def extract(ours: Sequence[str], beams: Sequence[str]) -> int:
    """Extracts features as `extract` does."""
    quieten_tensorflow()
    from yt8m_audio.commands.extract import ExtractFlags

    about = f"Writes records of the embeddings of sounds as `extract` does, as an Apache Beam pipeline.{BEHIND}"
    asked, more = parsed([f"{ours[0]} {EXTRACT}", *ours[2:]], beams, about, ExtractFlags)
    from yt8m_audio.commands import beam_extraction

    return beam_extraction.extract(asked, more.failures, beams)


def at_dashes(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before and behind `--`."""
    argv = list(argv)
    place = argv.index("--") if "--" in argv else len(argv)
    return argv[:place], argv[place + 1 :]


def parsed(
    ours: Sequence[str], beams: Sequence[str], about: str, flags: type, in_the_run: Sequence[type] = ()
) -> tuple[Any, BeamFlags]:
    """Parses our flags, of a job and of Beam's pipelines; makes sure that Beam is there, but for help with ours."""
    parser = Parser(ours, about, [flags, BeamFlags], in_the_run)
    if beams or not HELP & set(ours):
        check_beam()
        check_whose(parser, ours)
    parser.finish()
    names = [field.name for field in dataclasses.fields(flags) if field.name in parser.values]
    values = {name: parser.value(name) for name in names}
    check_ranges(values)
    job = flags(**values, **parser.arguments)
    return job, BeamFlags(parser.value("failures"))


def check_beam() -> None:
    """Imports Beam without what it says of packages that it could use; raises a UserError where it is missing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of workers on this machine, too
    logging.disable(logging.WARNING)
    try:
        import apache_beam  # noqa: F401
    except ImportError:
        raise UserError(f"Beam is not installed: {INSTALL}.") from None
    finally:
        logging.disable(logging.NOTSET)


def check_whose(parser: Parser, ours: Sequence[str]) -> None:
    """Raises a UserError where a flag of Beam's stands among ours."""
    names = [each.partition("=")[0] for each in ours[1:] if each.startswith("--")]
    unknown = [name for name in names if name.removeprefix("--") not in parser.values]
    if not unknown:
        return
    from yt8m_audio.beam.options import flags_of_beam

    for name in set(unknown) & set(flags_of_beam()):
        raise UserError(f"{name} is Beam's: put it behind --, at the end of the command line.")
