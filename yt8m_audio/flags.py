"""Flags of configs and models, parsed to a Config in main()'s first line; nothing below sees a flag.

    request = parse_train(sys.argv)       # request.config, request.given, request.run
    run(main)                             # a UserError ends with one line and exit status 2

A dataclass's fields become flags of the same name with their docstring lines as help, and so do the keyword
arguments of the constructors of the model and of the loss. Fields with `metadata=POSITIONAL` are taken, in order, from
the arguments that are no flags; one without a default must be given. The last of them may be a tuple of any number
of them, with `metadata=SEVERAL`.
"""

import dataclasses
import errno
import os
import sys
import types
import typing
from collections.abc import Callable, Collection, Sequence
from typing import Any

from absl import flags as absl_flags

from yt8m_audio.config import Config, DataConfig, DeviceConfig, ModelConfig, TrainConfig, check_ranges
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.run_directory import RunDirectory
from yt8m_audio.standard_error import held_back

POSITIONAL = types.MappingProxyType({"positional": True})
SEVERAL = types.MappingProxyType({"positional": True, "several": True})
HELP = {"-h", "-help", "--help", "--helpfull", "--helpshort"}
RENAMED = {"max_step": "max_steps"}  # spelt so in tutorials
DEFINE = {
    bool: absl_flags.DEFINE_boolean,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    str: absl_flags.DEFINE_string,
}
ENVIRONMENT_FAULTS = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR}
ENVIRONMENT_FAULTS |= {errno.EIO}  # of a disk, or of a file system behind a network


@dataclasses.dataclass(frozen=True)
class TrainFlags:
    """Where a training run goes.

    Attributes:
        train_dir: Run directory: config, checkpoints and logs. runs/MODEL when empty. A run that is there is resumed.
        start_new_model: Move the run that is there aside, and begin anew.
    """

    train_dir: str = ""
    start_new_model: bool = False


TRAIN_GROUPS = (TrainFlags, DataConfig, ModelConfig, TrainConfig, DeviceConfig)
TAKEN = {each.name for group in TRAIN_GROUPS for each in dataclasses.fields(group)}
TAKEN |= {"num_frames", "json", "flagfile", "undefok", *RENAMED, *(each.lstrip("-") for each in HELP)}


@dataclasses.dataclass(frozen=True)
class EvalFlags:
    """What is evaluated, and on what.

    Attributes:
        train_dir: Run directory that train.py left, or a checkpoint in it.
        input_model: Exported model to evaluate, in place of a run: a SavedModel's folder or a .keras file.
        predictions: CSV or Parquet file of predictions to evaluate, in place of a run.
        eval_data_pattern: Glob of the records to evaluate on; of predictions also a CSV of AudioSet's segments. The
            sample's test clips when empty and the run was trained on the sample.
        held_out: Evaluate on those of the clips alone that the run's validation_percent held out.
        eval_ids: File with the ids of the clips to evaluate, one a line. All when empty.
        segment_labels: Evaluate on YouTube-8M's rated segments, as a run that was trained on segments always does.
        checkpoint: Which checkpoint: best (by validation; the last one where there was none), last, or a step.
        batch_size: Clips in a batch.
        top_k: Classes a clip that GAP and MAP look at.
        bootstrap: Resamples of the clips that intervals are computed from, such as 1000, at least 40; 0 computes none.
        max_eval_memory: MiB that scores may take, beside a file of predictions. Above it mAP and AUC come from a sketch
            with a stated bound on its error. Half of what is free when not given.
        report: Folder to write the report to.
        output_scores: NumPy file (.npz) to write the clips' ids, scores and labels to.
        output_metrics: JSON file to write the figures to, beside the run's own eval/metrics.json.
        ontology: AudioSet's ontology.json, for figures by branch.
        label_quality: AudioSet's qa_true_counts.csv, for the report.
        train_csv: CSV of AudioSet's segments that was trained on, for the report's counts. The run's own records when
            empty.
        label_map: CSV with the columns index and display_name, or YouTube-8M's vocabulary.csv. The run's own, or for
            527 classes AudioSet's, when empty.
        num_classes: Classes of predictions, where label_map and records do not tell.
        run_once: Evaluate once. If false, go on with the newest checkpoint, whenever there is a new one.
        poll_seconds: Seconds to sleep before looking for a new checkpoint again.
        skip_corrupt_records: Skip and count corrupt records, rather than stop.
        num_readers: Shards that are read at a time where they lie on another machine.
    """

    train_dir: str = ""
    input_model: str = ""
    predictions: str = ""
    eval_data_pattern: str = ""
    held_out: bool = False
    eval_ids: str = ""
    segment_labels: bool = False
    checkpoint: str = "best"
    batch_size: int = 1024
    top_k: int = 20
    bootstrap: int = 0
    max_eval_memory: int | None = None
    report: str = ""
    output_scores: str = ""
    output_metrics: str = ""
    ontology: str = ""
    label_quality: str = ""
    train_csv: str = ""
    label_map: str = ""
    num_classes: int | None = None
    run_once: bool = True
    poll_seconds: float = 10.0
    skip_corrupt_records: bool = False
    num_readers: int = 8

    @property
    def source_flag(self) -> str:
        """Which flag says what is evaluated.

        Raises:
            UserError: if none does, or several do.
        """
        given = [name for name in ("train_dir", "input_model", "predictions") if getattr(self, name)]
        if len(given) > 1:
            raise UserError(f"{' and '.join(f'--{name}' for name in given)} are several things to evaluate: give one.")
        if not given:
            raise UserError(
                "--train_dir is missing: name the run directory that train.py left, such as runs/LstmModel; or give "
                "--input_model or --predictions."
            )
        return given[0]


@dataclasses.dataclass(frozen=True)
class InferenceFlags:
    """What is predicted, from what, and where it goes.

    Attributes:
        train_dir: Run directory that train.py left; several, with commas between, predict as one.
        input_model: Exported model to predict with: a SavedModel's folder or a .keras file; or several, as above.
        input_model_tgz: File of a run to predict with, as `python -m yt8m_audio export RUN model.tgz` writes it.
        untar_model_dir: Folder to unpack it to, and leave. A temporary one when empty.
        ensemble: How several models predict as one: the mean of their probabilities, of their logits, or of the ranks
            that they give to a clip's classes (from 0, the last, to 1).
        input_data_pattern: Glob of the records to predict. The sample's test clips when empty and the run was
            trained on the sample.
        output_file: File to write; predictions-@16.csv are 16 shards. An interrupted command, typed again, goes on.
        output: What to write: labels (the best classes of each clip; .csv, .jsonl or .parquet), scores (all
            probabilities; .parquet or .npz), timeline (.csv) or audacity (.txt, or a folder).
        window: Cut clips into windows of so many seconds, each predicted by itself. 0 predicts whole clips.
        hop: Seconds from the beginning of one window to that of the next. The window's own when 0.
        segment_labels: Rank segments of 5 seconds for each class, as YouTube-8M's challenge of 2019 takes them.
        segment_label_ids_file: CSV of the classes to rank segments for. All when empty.
        segment_max_pred: Segments of a class to list.
        worker: Which of n workers this is, from 0/n to n-1/n: it writes every n-th shard.
        checkpoint: Which checkpoint: best (by validation; the last one where there was none), last, or a step.
        top_k: Classes a clip, best first, at most.
        labels: Predict these classes alone: indices, ids such as /m/04rlf or display names, with commas between. All
            when empty.
        threshold: Keep only classes with at least this score, or, if calibrated, with at least their own threshold in
            the run's calibration.json. All top_k when empty.
        calibration: Whether scores are at the temperature of the run's calibration.json: auto (where it is there) or
            none.
        label_names: Add the columns TopLabel and Labels, with display names.
        label_map: CSV with the columns index and display_name, or YouTube-8M's vocabulary.csv, for names. The run's
            own when empty.
        escape_formulas: In a CSV, put an apostrophe before ids that a spreadsheet would take for a formula.
        batch_size: Clips in a batch; each device computes batches of its own.
        strategy: Devices to predict on: cpu, gpu (one), mirrored (all GPUs of this machine, or num_cpu_devices), tpu,
            or auto: the best of them that is there.
        num_gpu: GPUs to use. All when not given.
        num_cpu_devices: Logical devices that the CPU is divided into, for --strategy=mirrored without GPUs.
        tpu: Name of the TPU, or local on a TPU VM.
        skip_corrupt_records: Skip and count corrupt records, rather than stop.
        num_readers: Shards that are read at a time where they lie on another machine.
    """

    train_dir: str = ""
    input_model: str = ""
    input_model_tgz: str = ""
    untar_model_dir: str = ""
    ensemble: str = "probabilities"
    input_data_pattern: str = ""
    output_file: str = ""
    output: str = "labels"
    window: float = 0.0
    hop: float = 0.0
    segment_labels: bool = False
    segment_label_ids_file: str = ""
    segment_max_pred: int = 100_000
    worker: str = ""
    checkpoint: str = "best"
    top_k: int = 20
    labels: str = ""
    threshold: str = ""
    calibration: str = "auto"
    label_names: bool = False
    label_map: str = ""
    escape_formulas: bool = False
    batch_size: int = 512
    strategy: str = "auto"
    num_gpu: int | None = None
    num_cpu_devices: int = 1
    tpu: str = ""
    skip_corrupt_records: bool = False
    num_readers: int = 8


@dataclasses.dataclass(frozen=True)
class TrainRequest:
    """What a command line of train.py asks for.

    Attributes:
        config: settings: the run's own where one is resumed, else the defaults, and over them the flags given.
        given: names of the flags given.
        run: the run directory.
        resumed: the config of the run that is there, or None.
        start_new_model: whether to move that run aside.
        devices: where to train.
    """

    config: Config
    given: frozenset[str]
    run: RunDirectory
    resumed: Config | None
    start_new_model: bool
    devices: DeviceConfig


def parse_train(argv: Sequence[str]) -> TrainRequest:
    """Parses train.py's command line: known flags first, then with those of the model and the loss that they name."""
    parser = Parser(argv, "Trains a model on feature records.", TRAIN_GROUPS)
    name = parser.value("model")
    run = RunDirectory(parser.value("train_dir") or f"runs/{name.rpartition(':')[2]}")
    resumed = run.load_config() if run.exists() and not parser.value("start_new_model") else None
    if resumed and "model" not in parser.given():
        name = resumed.model.model
    if resumed and name != resumed.model.model:
        raise another_model(run, "model", resumed.model.model, name)
    parser.define_model(name, resumed.model.hyper_parameters if resumed else {})
    parser.define_loss(parser.given().get("label_loss") or (resumed or Config()).train.label_loss)
    given = parser.finish()
    config = overlaid(resumed or Config(model=ModelConfig(name)), given, parser.model_flags, parser.loss_flags)
    devices = DeviceConfig(**{name: parser.value(name) for name, _ in scalar_fields(DeviceConfig)})
    check_ranges(dataclasses.asdict(devices))
    return TrainRequest(config, frozenset(given), run, resumed, parser.value("start_new_model"), devices)


def parse_script(argv: Sequence[str], about: str, flags: type) -> Any:
    """Parses the command line of inference.py; what the run directory says too is taken with a warning."""
    script = parse(argv, about, flags, in_the_run=(DataConfig, ModelConfig))
    others = ("input_model", "input_model_tgz")
    if not script.train_dir and not any(getattr(script, name, "") for name in others):
        raise UserError("--train_dir is missing: name the run directory that train.py left, such as runs/LstmModel.")
    return script


def parse(argv: Sequence[str], about: str, flags: type, in_the_run: Sequence[type] = ()) -> Any:
    """Parses a command line to a dataclass whose fields are the flags, and the arguments that are none."""
    parser = Parser(argv, about, [flags], in_the_run)
    parser.finish()
    names = [field.name for field in dataclasses.fields(flags) if not is_positional(field)]
    values = {name: parser.value(name) for name in names}
    check_ranges(values)
    return flags(**values, **parser.arguments)


def another_model(run: RunDirectory, name: str, old: Any, new: Any) -> UserError:
    """The error about a run directory whose run cannot be gone on with."""
    return UserError(
        f"--train_dir={run.path} holds a run of another model: --{name} is {old} there, {new} was asked for. Give "
        "another --train_dir, or --start_new_model to move that run aside."
    )


def overlaid(
    config: Config, given: dict[str, Any], model_flags: Collection[str], loss_flags: Collection[str] = ()
) -> Config:
    """Returns the config with the flags given put over it; of the loss before, what the loss now has too is kept."""

    def part(settings):
        names = {field.name for field in dataclasses.fields(settings)}
        return dataclasses.replace(settings, **{name: value for name, value in given.items() if name in names})

    theirs = {name: value for name, value in given.items() if name in model_flags}
    model = part(config.model)
    kept = config.model.hyper_parameters if model.model == config.model.model else {}
    model = dataclasses.replace(model, hyper_parameters={**kept, **theirs})
    train = part(config.train)
    losses = {**train.loss_hyper_parameters, **given}
    kept = {name: losses[name] for name in loss_flags if name in losses}
    return Config(part(config.data), model, dataclasses.replace(train, loss_hyper_parameters=kept))


class Parser:
    """A command line, parsed in rounds because the model and the loss that it names bring flags of their own.

    Args:
        argv: with the program's name first.
        about: one line for --help.
        groups: dataclasses whose fields are flags.
        in_the_run: dataclasses whose flags the run directory already holds: taken with a warning, and not used.
    """

    def __init__(self, argv: Sequence[str], about: str, groups: Sequence[type], in_the_run: Sequence[type] = ()):
        self.argv, self.about = [argv[0], *map(_renamed, argv[1:])], about
        self.values = absl_flags.FlagValues()
        self.values.set_gnu_getopt(True)
        self.groups: dict[str, list[str]] = {}
        self.model_flags: dict[str, str] = {}  # flag -> the flag that names the model
        self.loss_flags: list[str] = []
        self.ignored: dict[str, str] = {}
        self.positional = [each for group in groups for each in dataclasses.fields(group) if is_positional(each)]
        self.argument_help: dict[str, str] = {}
        self.arguments: dict[str, str] = {}
        for group in groups:
            self._define_dataclass(group)
        self._ignore("num_gpu", int, "it uses one device")
        for name, kind in (each for group in in_the_run for each in scalar_fields(group)):
            self._ignore(name, kind, "the run directory holds it")
        self._parse(known_only=True)

    def value(self, name: str) -> Any:
        """Returns a flag's value."""
        return self.values[name].value

    def first_argument(self) -> str:
        """Returns the first argument that is no flag, or "": known before all flags are, which may depend on it."""
        return next((each for each in self.rest if not each.startswith("-")), "")

    def given(self) -> dict[str, Any]:
        """Returns the flags that the command line gives, name -> value."""
        return {
            name: self.value(name) for name in self.values if self.values[name].present and name not in self.ignored
        }

    def define_model(self, name: str, resumed: dict[str, Any]) -> None:
        """Defines the flags of a model, and of the model on top of it, which a resumed run may name too."""
        from models.base import classifier_hyper_parameters
        from yt8m_audio.commands.outside_models import find_model
        from yt8m_audio.registry import hyper_parameters

        self._define_hyper_parameters("model", name, hyper_parameters(find_model(name)))
        if "video_level_classifier_model" in self.model_flags:
            self._parse(known_only=True)
            given = self.values["video_level_classifier_model"].present
            classifier = "" if given else resumed.get("video_level_classifier_model")
            classifier = classifier or self.value("video_level_classifier_model")
            flag = "video_level_classifier_model"
            parameters = classifier_hyper_parameters(find_model(classifier, flag))
            self._define_hyper_parameters(flag, classifier, parameters)

    def define_loss(self, name: str) -> None:
        """Defines the flags of a loss."""
        import yt8m_audio.training  # noqa: F401  registers the losses
        from yt8m_audio.registry import LOSSES, hyper_parameters

        for each in hyper_parameters(LOSSES.get(name)).values():
            if each.name in self.model_flags:
                raise _not_a_name(self.model_flags[each.name], each.name, f"a flag of --label_loss={name}")
            if each.name in self.values:
                raise ValueError(f"{name}: the hyper-parameter {each.name} has the name of another flag.")
            self._define(f"{name}'s own", each.name, each.type, each.default, {each.name: each.help})
            self.loss_flags.append(each.name)

    def finish(self) -> dict[str, Any]:
        """Parses everything, and returns what was given.

        Raises:
            UserError: about a flag that is unknown or has a wrong value.
        """
        if HELP & set(self.argv[1:]):
            print(self.help())
            raise SystemExit(0)
        self._parse(known_only=False)
        for name, why in self.ignored.items():
            if self.values[name].present:
                print(f"warning: --{name} is not used: {why}.", file=sys.stderr)
        return self.given()

    def help(self) -> str:
        """All flags with their defaults, group by group."""
        lines = [self.about, "", "  --flagfile=FILE", "      Read flags from a file, one a line."]
        if self.positional:
            arguments = [f"  {each.name.upper()}\n      {self.argument_help[each.name]}" for each in self.positional]
            lines = [self._usage(), "", self.about, "", *arguments, *lines[1:]]
        for group, names in self.groups.items():
            lines += ["", f"{group}:"]
            for name in names:
                flag = self.values[name]
                default = "" if flag.default in (None, "") else f" (default: {flag.default})"
                lines += [f"  --{name}{default}", f"      {flag.help}"]
        return "\n".join(lines)

    def _define_dataclass(self, group: type) -> None:
        from yt8m_audio.registry import argument_help

        help_lines, fields = argument_help(group), {field.name: field for field in dataclasses.fields(group)}
        title = group.__doc__.split("\n")[0].rstrip(".")
        arguments = [name for name, field in fields.items() if is_positional(field)]
        self.argument_help |= {name: help_lines.get(name, "") for name in arguments}
        for name, kind in scalar_fields(group):
            if name not in arguments:
                self._define(title, name, kind, fields[name].default, help_lines)

    def _usage(self) -> str:
        """How the program is called, on one line."""
        program = os.path.basename(self.argv[0])
        program = program if program.endswith(".py") else f"-m yt8m_audio {program}"
        names = [f"{each.name.upper()}{' ...' if takes_several(each) else ''}" for each in self.positional]
        names = [name if is_required(each) else f"[{name}]" for name, each in zip(names, self.positional, strict=True)]
        return " ".join(["Usage: python", program, *names, "[--flag=value ...]"])

    def _expanded(self) -> UserError:
        """The error about a glob that the shell has replaced by the files that it matches."""
        return UserError(f"Several files are named where one is asked for: put the glob in quotes. {self._usage()}")

    def _take_arguments(self, rest: list[str]) -> None:
        """Takes the arguments that are no flags, in the order of the dataclass's fields."""
        missing = [each.name.upper() for each in self.positional[len(rest) :] if is_required(each)]
        if missing:
            raise UserError(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing. {self._usage()}")
        if self.positional and takes_several(self.positional[-1]):
            before = len(self.positional) - 1
            rest = [*rest[:before], *([tuple(rest[before:])] if len(rest) > before else [])]
        extra = rest[len(self.positional) :]
        if extra and self.positional and all(map(os.path.exists, rest[: len(extra) + 1])):
            raise self._expanded()
        if extra and self.positional:
            raise UserError(f"{extra[0]} is one argument too many. {self._usage()}")
        if extra:
            raise UserError(f"{extra[0]} is no flag: flags are --name=value, and a glob stands in quotes.")
        given = dict(zip((each.name for each in self.positional), rest, strict=False))
        self.arguments = {each.name: given.get(each.name, each.default) for each in self.positional}

    def _ignore(self, name: str, kind: type, why: str) -> None:
        """Takes a flag that is not used, unless it is."""
        if name not in self.values:
            DEFINE[kind](name, None, "", flag_values=self.values)
            self.ignored[name] = why

    def _define_hyper_parameters(self, flag: str, name: str, parameters: dict) -> None:
        """Defines those of a model that no model below it has too.

        Raises:
            UserError: if one has the name of another flag, or a type that no flag has.
        """
        asked = f"--{flag}={name}"
        for each in parameters.values():
            if each.name in self.model_flags:
                continue
            if each.name in TAKEN or each.name in self.values:
                raise _not_a_name(asked, each.name, "another flag")
            if each.type not in DEFINE:
                raise UserError(
                    f"{asked}: its hyper-parameter {each.name} is a {each.type.__name__}, which no flag is: give it a "
                    "default that is a bool, an int, a float or a str."
                )
            self._define(f"{name}'s own", each.name, each.type, each.default, {each.name: each.help})
            self.model_flags[each.name] = asked

    def _define(self, group: str, name: str, kind: type, default: Any, help_lines: dict[str, str]) -> None:
        DEFINE[kind](name, default, help_lines.get(name, ""), flag_values=self.values)
        self.groups.setdefault(group, []).append(name)

    def _parse(self, known_only: bool) -> None:
        """Parses the command line into the flags defined so far."""
        argv = [each for each in self.argv if each not in HELP]
        try:
            self.values.unparse_flags()
            self.rest = self.values(argv, known_only=known_only)[1:]
        except absl_flags.UnrecognizedFlagError as error:
            name = error.flagname
            if self.positional and any(os.path.exists(each) for each in argv[1:] if each.startswith("-")):
                raise self._expanded() from None
            known = [f"--{each}" for each in self.values]
            owners = _owners(name) if self.model_flags else []
            there = f" here: it is one of {' and '.join(owners)}" if owners else ""
            near = "" if owners else nearest(f"--{name}", known)
            raise UserError(f"--{name} is no flag{there}.{near} --help lists them.") from None
        except absl_flags.IllegalFlagValueError as error:
            raise UserError(self._wrong_value(str(error))) from None
        except absl_flags.Error as error:
            raise UserError(str(error).replace("\n", " ").removeprefix("ERROR:: ")) from None
        if not known_only:
            self._take_arguments(self.rest)

    def _wrong_value(self, said: str) -> str:
        """Puts what absl says of a value that does not fit its flag into our words."""
        name, _, value = said.removeprefix("flag --").partition(":")[0].partition("=")
        kind = self.values[name].flag_type()
        wanted = {"int": "a whole number", "float": "a number", "bool": "true or false"}.get(kind)
        return f"--{name}={value} must be {wanted}." if wanted else said.replace("\n", " ")


def _owners(name: str) -> list[str]:
    """The models and losses that have a hyper-parameter of that name, as their flags name them."""
    import yt8m_audio.training  # noqa: F401  registers the losses
    from yt8m_audio.registry import LOSSES, MODELS, hyper_parameters

    def having(registry):
        return [each for each in registry.names() if name in hyper_parameters(registry.get(each))]

    found = {registry.flag: having(registry) for registry in (MODELS, LOSSES)}
    return [f"--{flag}={'|'.join(names)}" for flag, names in found.items() if names]


def _not_a_name(asked: str, name: str, other: str) -> UserError:
    """The error about a hyper-parameter of a model whose name is taken."""
    return UserError(
        f"{asked}: its hyper-parameter {name} has the name of {other}: rename it in the model's constructor."
    )


def _renamed(argument: str) -> str:
    """Replaces a legacy spelling by ours, with a warning."""
    name, equals, value = argument.partition("=")
    ours = RENAMED.get(name.lstrip("-")) if name.startswith("-") else None
    if ours is None:
        return argument
    print(f"warning: {name} is called --{ours} here.", file=sys.stderr)
    return f"--{ours}{equals}{value}"


def scalar_fields(group: type) -> list[tuple[str, type]]:
    """Names and types of a dataclass's fields that can be flags: `int`, or `int | None`."""
    found = []
    for name, hint in typing.get_type_hints(group).items():
        options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        found += [(name, option) for option in options if option in DEFINE]
    return found


def is_positional(field: dataclasses.Field) -> bool:
    """Whether a field is an argument and no flag."""
    return bool(field.metadata.get("positional"))


def names_in(flag: str) -> list[str]:
    """What a flag lists, with commas between."""
    return [each.strip() for each in flag.split(",") if each.strip()]


def takes_several(field: dataclasses.Field) -> bool:
    """Whether an argument is all of those that are left."""
    return bool(field.metadata.get("several"))


def is_required(field: dataclasses.Field) -> bool:
    """Whether an argument has to be given."""
    return field.default is dataclasses.MISSING


# Running a script


def run(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None, needs_tensorflow: bool = True) -> None:
    """Runs a script's main; a user's mistake ends with one line on stderr and exit status 2."""
    argv = sys.argv if argv is None else argv
    try:
        if {each.lstrip("-") for each in argv} & {"log_device_placement", "log_device_placement=true"}:
            log_device_placement()
        elif needs_tensorflow:
            quieten_tensorflow()
        status = main(argv)
    except UserError as error:
        sys.exit(_failed(str(error)))
    except BrokenPipeError:  # whoever read our output (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in ENVIRONMENT_FAULTS:
            raise
        sys.exit(_failed(f"{error.filename or 'a file'}: {error.strerror}."))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
    sys.exit(status)


def _failed(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def log_device_placement() -> None:
    """Has TensorFlow say where each operation runs; that can only be asked for before its first one."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")
    import tensorflow as tf

    tf.debugging.set_log_device_placement(True)


def quieten_tensorflow() -> None:
    """Imports TensorFlow without what its native part says of processors and drivers, unless that was asked for."""
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
        return
    with held_back():  # native code writes before any setting is read
        import tensorflow as tf

        tf.config.list_physical_devices()
