"""Any model of sound as an embedding: a SavedModel's folder, such as YAMNet's, or a LiteRT (.tflite) file.

    source = ModelSource("yamnet")                                # knows its window and hop
    source = ModelSource("mine", window_seconds=1.0, output="embedding")
    ModelSource("mine.tflite", pca="pca.npz").embed(waveform)     # uint8 [T, K]

A model takes one waveform, float32 [samples] or a batch of them [N, samples], mono at 16 kHz, and gives rows of floats.
It is asked about one window after the other, so that a row depends on its own window alone; where it gives several rows
of a window their mean counts.
"""

import dataclasses
import functools
import hashlib
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from yt8m_audio.audio.pca import load_pca
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.feature_source import FeatureSource

SAMPLE_RATE = 16_000
SIGNATURE = "serving_default"
WINDOWS_AT_ONCE = 64
YAMNET_SIZES = {521, 1024, 64}  # of its outputs: scores, embedding, log-mel
YAMNET_WINDOW, YAMNET_HOP = 0.975, 0.48  # seconds
EMBEDDING = "embedding"


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A model that was loaded.

    Attributes:
        call: takes float32 [samples] or [N, samples] and gives arrays by the name of the output.
        rank: 1 or 2, of what it takes.
        samples: that it takes, or None where any number will do.
    """

    call: Callable[[np.ndarray], dict[str, np.ndarray]]
    rank: int
    samples: int | None


class ModelSource:
    """A model of someone else's as an embedding; what is shorter than a window at the end gives no row.

    Args:
        path: the SavedModel's folder or the .tflite file.
        hop_seconds: from one window to the next; the window's own, of YAMNet 0.48, when None.
        window_seconds: of sound a row; what the model takes, of YAMNet 0.975, when None.
        output: name of the output to take; the only one with rows, or the one called an embedding, when empty.
        pca: .npz file of a PCA that makes bytes of the rows; they stay float32 when empty.

    Raises:
        UserError: if it cannot be loaded, takes something else than a waveform, or the window or output is not known.
    """

    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        path: str,
        hop_seconds: float | None = None,
        window_seconds: float | None = None,
        output: str = "",
        pca: str = "",
    ):
        self.path, self.pca_file = path, pca
        self.model = load_litert(path) if path.endswith(".tflite") else load_saved_model(path)
        self.pca = load_pca(pca) if pca else None
        probe = np.zeros(self.model.samples or round(SAMPLE_RATE * (window_seconds or YAMNET_WINDOW)), np.float32)
        outputs = self.model.call(probe if self.model.rank == 1 else probe[np.newaxis])
        rows = {name: each for name, each in outputs.items() if each.ndim == 2 and each.dtype.kind == "f"}
        is_yamnet = {each.shape[1] for each in rows.values()} >= YAMNET_SIZES
        self.window_samples = self._window(window_seconds, is_yamnet)
        hop = YAMNET_HOP if is_yamnet and hop_seconds is None else hop_seconds
        self.hop_samples = self.window_samples if hop is None else max(1, round(hop * SAMPLE_RATE))
        self.output = chosen_output(path, {name: each.shape[1] for name, each in rows.items()}, output, is_yamnet)
        self.dimension = self.pca.num_components if self.pca else rows[self.output].shape[1]
        if self.pca and self.pca.dimension != rows[self.output].shape[1]:
            raise UserError(
                f"--pca={pca} takes {self.pca.dimension} numbers, and {self.output} of {path} has "
                f"{rows[self.output].shape[1]}."
            )

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embeds mono floats [samples] at 16 kHz; float32 [T, D], or uint8 with a PCA."""
        waveform = np.asarray(waveform, np.float32)
        if len(waveform) < self.window_samples:
            return np.empty((0, self.dimension), np.uint8 if self.pca else np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(waveform, self.window_samples)[:: self.hop_samples]  # [T, n]
        rows = self._one_by_one(windows) if self.model.rank == 1 else self._in_batches(windows)
        return self.pca.quantized(rows) if self.pca else rows

    def described(self) -> FeatureSource:
        """What is noted beside records."""
        settings = {"window_seconds": self.window_samples / SAMPLE_RATE, "output": self.output}
        if self.pca_file:
            settings["pca"] = hashlib.sha256(Path(self.pca_file).read_bytes()).hexdigest()
        name, hop = Path(self.path).resolve().stem, self.hop_samples / SAMPLE_RATE
        return FeatureSource(name, SAMPLE_RATE, self.dimension, hop, digest_of(self.path), settings)

    def _window(self, asked: float | None, is_yamnet: bool) -> int:
        """Samples of a window."""
        own = self.model.samples or (round(YAMNET_WINDOW * SAMPLE_RATE) if is_yamnet else None)
        if asked is None and own is None:
            raise UserError(f"{self.path} takes sound of any length: say with --window_seconds how much a row is of.")
        samples = own if asked is None else round(asked * SAMPLE_RATE)
        if self.model.samples not in (None, samples):
            taken = self.model.samples / SAMPLE_RATE
            raise UserError(f"--window_seconds={asked:g}: {self.path} takes {taken:g} s of sound, and no other length.")
        return samples

    def _one_by_one(self, windows: np.ndarray) -> np.ndarray:
        """Rows [T, D] of windows [T, n], of a model that takes one waveform."""
        rows = [self.model.call(np.ascontiguousarray(window))[self.output].mean(axis=0) for window in windows]
        return np.stack(rows).astype(np.float32)

    def _in_batches(self, windows: np.ndarray) -> np.ndarray:
        """Rows [T, D] of windows [T, n], of a model that takes several waveforms and gives a row of each."""
        found = []
        for first in range(0, len(windows), WINDOWS_AT_ONCE):
            part = np.ascontiguousarray(windows[first : first + WINDOWS_AT_ONCE])
            rows = self.model.call(part)[self.output]
            if len(rows) != len(part):
                raise UserError(f"{self.path} gives {len(rows)} rows of {len(part)} waveforms: one each is wanted.")
            found.append(rows)
        return np.concatenate(found).astype(np.float32)


def chosen_output(path: str, rows: dict[str, int], asked: str, is_yamnet: bool) -> str:
    """The name of the output to take, of those with rows of floats and how wide they are.

    Raises:
        UserError: if there is no such output, or it is not clear which.
    """
    there = ", ".join(f"{name} of {size}" for name, size in rows.items()) or "none"
    if asked and asked not in rows:
        raise UserError(
            f"--embedding_output={asked} is no output of {path} with rows of floats: {there}.{nearest(asked, rows)}"
        )
    named = [name for name in rows if EMBEDDING in name.lower()]
    if is_yamnet:
        named = named or [name for name, size in rows.items() if size == max(YAMNET_SIZES)]
    candidates = [asked] if asked else list(rows) if len(rows) == 1 else named
    if len(candidates) != 1:
        raise UserError(f"{path} has several outputs or none ({there}): say which with --embedding_output.")
    return candidates[0]


def digest_of(path: str) -> str:
    """SHA-256 of a model's file, or of all files in its folder by name."""
    digest, root = hashlib.sha256(), Path(path)
    for file in [root] if root.is_file() else sorted(each for each in root.rglob("*") if each.is_file()):
        digest.update(f"{file.relative_to(root)}\n".encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def load_saved_model(path: str) -> Loaded:
    """Loads a SavedModel: its signature serving_default, or, where it has none, what it does when it is called.

    Raises:
        UserError: if it cannot be loaded, or takes something else than one waveform.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(path)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UserError(f"--embedding={path} cannot be loaded as a SavedModel: {str(error).splitlines()[0]}") from error
    signature = loaded.signatures.get(SIGNATURE)
    if signature is None:
        if not callable(loaded):
            raise UserError(f"--embedding={path} has no signature {SIGNATURE}, and cannot be called.")
        return Loaded(lambda waveform: _named(loaded(tf.constant(waveform))), rank=1, samples=None)
    takes = signature.structured_input_signature[1]
    shapes = {name: each.shape for name, each in takes.items() if each.dtype == tf.float32}
    if len(takes) != 1 or len(shapes) != 1 or next(iter(shapes.values())).rank not in (1, 2):
        found = ", ".join(f"{name} {each.dtype.name} {each.shape}" for name, each in takes.items())
        raise UserError(
            f"--embedding={path} takes {found}: one waveform, float32 [samples] or [N, samples], is wanted."
        )
    ((name, shape),) = shapes.items()

    def call(waveform):
        return _named(signature(**{name: tf.constant(waveform)}))

    return _for_one(call, shape.as_list(), shape[-1])


def _named(outputs) -> dict[str, np.ndarray]:
    """Outputs as arrays by name; those of a tuple are output_0, output_1, ..."""
    if isinstance(outputs, dict):
        return {name: np.asarray(each) for name, each in outputs.items()}
    several = outputs if isinstance(outputs, tuple | list) else [outputs]
    return {f"output_{number}": np.asarray(each) for number, each in enumerate(several)}


def load_litert(path: str) -> Loaded:
    """Loads a LiteRT file.

    Raises:
        UserError: if it cannot be loaded, or takes something else than one waveform.
    """
    try:
        interpreter = _interpreter()(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"--embedding={path} cannot be loaded as a LiteRT file: {str(error).splitlines()[0]}"
        ) from error
    takes = interpreter.get_input_details()
    if len(takes) != 1 or takes[0]["dtype"] != np.float32 or len(takes[0]["shape"]) not in (1, 2):
        found = ", ".join(f"{np.dtype(each['dtype']).name} {each['shape'].tolist()}" for each in takes)
        raise UserError(
            f"--embedding={path} takes {found}: one waveform, float32 [samples] or [N, samples], is wanted."
        )
    shape = takes[0]["shape_signature"].tolist()
    samples = shape[-1] if shape[-1] > 1 else None  # a length of 1 stands for any
    return _for_one(LiteRt(interpreter), shape, samples)


def _interpreter() -> Callable:
    """LiteRT's interpreter: that of its own package where it is installed, else TensorFlow's, as prediction has it."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated.*")
        plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return functools.partial(tf.lite.Interpreter, experimental_op_resolver_type=plain)
    return Interpreter


class LiteRt:
    """Calls a LiteRT interpreter, for one thread at a time.

    Args:
        interpreter: of a model with one input.
    """

    def __init__(self, interpreter):
        self.interpreter, self.lock, self.shape = interpreter, threading.Lock(), None

    def __call__(self, waveform: np.ndarray) -> dict[str, np.ndarray]:
        with self.lock:
            number = self.interpreter.get_input_details()[0]["index"]
            if waveform.shape != self.shape:
                self.interpreter.resize_tensor_input(number, waveform.shape)
                self.interpreter.allocate_tensors()
                self.shape = waveform.shape
            self.interpreter.set_tensor(number, waveform)
            self.interpreter.invoke()
            details = self.interpreter.get_output_details()
            return {each["name"]: self.interpreter.get_tensor(each["index"]) for each in details}


def _for_one(call: Callable, shape: Sequence[int | None], samples: int | None) -> Loaded:
    """A model that takes a batch of exactly one as one that takes one waveform; any other as it is."""
    if len(shape) == 2 and shape[0] == 1:
        return Loaded(lambda waveform: call(waveform[np.newaxis]), 1, samples)
    return Loaded(call, len(shape), samples)
