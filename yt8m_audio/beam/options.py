"""Beam's own flags, which stand behind `--` on the command line, and Beam's log."""

import argparse
import contextlib
import logging
from collections.abc import Iterator, Sequence

from apache_beam.io.filesystems import FileSystems
from apache_beam.options import pipeline_options
from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, StandardOptions, TypeOptions

from yt8m_audio.errors import UserError, nearest
from yt8m_audio.standard_error import held_back

KNOW_MORE = ("PortableRunner", "FlinkRunner", "SparkRunner")  # flags, which their job server tells


def parse_options(argv: Sequence[str]) -> PipelineOptions:
    """Parses Beam's flags.

    Raises:
        UserError: if one is none of Beam's, or has a value that it cannot have.
    """
    known, others = option_parser().parse_known_args(list(argv))
    if others and known.runner not in KNOW_MORE:
        name = others[0].partition("=")[0]
        raise UserError(f"{name}, behind --, is no flag of Beam's.{nearest(name, flags_of_beam())}")
    options = PipelineOptions(list(argv))
    options.view_as(SetupOptions).save_main_session = False  # workers import what they need from the installed package
    FileSystems.set_options(options)  # else s3:// can be asked for nothing before the pipeline begins
    options.view_as(TypeOptions).allow_unsafe_triggers = True  # there are none; else DirectRunner fetches Prism, in Go
    return options


def option_parser() -> argparse.ArgumentParser:
    """A parser of all flags that Beam knows, which raises a UserError where one has a wrong value."""
    parser = _Parser(allow_abbrev=False, prog="beam --", usage="python -m yt8m_audio beam --FLAGS -- --BEAM_FLAGS")
    for each in PipelineOptions.__subclasses__():
        each._add_argparse_args(parser)
    return parser


def flags_of_beam() -> list[str]:
    """All flags that Beam knows, with their dashes."""
    return [each for action in option_parser()._actions for each in action.option_strings]


class _Parser(pipeline_options._BeamArgumentParser):
    def error(self, message):
        raise UserError(f"Beam's flags, behind --: {message}.")


def is_local(options: PipelineOptions) -> bool:
    """Whether the pipeline runs on this machine, within this command."""
    return (options.view_as(StandardOptions).runner or "DirectRunner") in StandardOptions.LOCAL_RUNNERS


@contextlib.contextmanager
def quiet(options: PipelineOptions) -> Iterator[None]:
    """Keeps to itself what Beam and its workers say where the job runs here, unless it fails in a way not foreseen.

    Elsewhere the log tells where the job is to be watched.
    """
    if not is_local(options):
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        yield
        return
    with held_back():
        yield
