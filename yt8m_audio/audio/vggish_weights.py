"""VGGish's weights: where they lie, and how they are read. None come with this package.

    python -m yt8m_audio vggish-weights           # fetches Google's into the cache folder
    vggish = load_vggish(find_weights().model)

A folder of weights holds vggish_model.ckpt (or one's own vggish.keras or vggish.weights.h5, which then counts), and
vggish_pca_params.npz where embeddings are to become bytes.
"""

import contextlib
import functools
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from yt8m_audio.audio.pca import load_pca
from yt8m_audio.audio.v1_checkpoint import places_of_floats, read_floats
from yt8m_audio.audio.vggish import GROUPS, Vggish
from yt8m_audio.audio.vggish_smoke_test import smoke_test
from yt8m_audio.cache import cache_folder
from yt8m_audio.errors import UserError, reason

CHECKPOINT, PCA = "vggish_model.ckpt", "vggish_pca_params.npz"
MODEL_FILES = ("vggish.keras", "vggish.weights.h5", CHECKPOINT)  # the first one that is there counts
SCOPES = {  # of Google's variables, by our layers
    "conv1": "vggish/conv1",
    "conv2": "vggish/conv2",
    "conv3_1": "vggish/conv3/conv3_1",
    "conv3_2": "vggish/conv3/conv3_2",
    "conv4_1": "vggish/conv4/conv4_1",
    "conv4_2": "vggish/conv4/conv4_2",
    "fc1_1": "vggish/fc1/fc1_1",
    "fc1_2": "vggish/fc1/fc1_2",
    "fc2": "vggish/fc2",
}
KINDS = ("weights", "biases")
ROWS_AT_ONCE = 1024
GET_THEM = "python -m yt8m_audio vggish-weights fetches Google's; --weights=FOLDER names others"
Weight = Callable[[], Any]  # reads one, as an array or a tensor


class WeightFiles(NamedTuple):
    """Where weights lie; the PCA may be missing."""

    model: Path
    pca: Path


def default_weights_folder() -> Path:
    """The folder that weights are looked for in where none is named: vggish in the cache folder."""
    return cache_folder() / "vggish"


def find_weights(path: str | os.PathLike = "") -> WeightFiles:
    """Finds the model's file, and says where the PCA's is or would be: beside it.

    Args:
        path: a folder, a file, or a TensorFlow checkpoint's name without its endings; the default folder when empty.

    Raises:
        UserError: if there is none.
    """
    place = Path(path).expanduser() if path else default_weights_folder()
    if not place.is_dir() and _is_there(place):
        return WeightFiles(place, place.parent / PCA)
    for name in MODEL_FILES:
        if _is_there(place / name):
            return WeightFiles(place / name, place / PCA)
    raise UserError(f"VGGish's weights are not in {place}: none of {', '.join(MODEL_FILES)} is there. {GET_THEM}.")


def _is_there(path: Path) -> bool:
    """Whether there is such a file, or such a checkpoint of several files."""
    return path.is_file() or path.with_name(f"{path.name}.index").is_file()


def load_vggish(path: str | os.PathLike, *, final_relu: bool = False, dtype: str = "float32") -> Vggish:
    """Loads VGGish from Google's checkpoint (or another one with its variables), a .keras or a .weights.h5 file.

    Args:
        path: the file, or the name of a TensorFlow checkpoint.
        final_relu: whether negative outputs become 0.
        dtype: Keras' policy: float32, or mixed_bfloat16 where the processor is quicker at that.

    Raises:
        UserError: if it cannot be read, or holds something else.
    """
    path = Path(path)
    if not _is_there(path):
        raise UserError(f"VGGish's weights {path} are not there. {GET_THEM}.")
    read = _read_keras if path.suffix == ".keras" else _read_h5 if path.suffix == ".h5" else _read_checkpoint
    width, weights = read(path)
    vggish = Vggish(final_relu=final_relu, width=width, dtype=dtype)
    _build_with(vggish, weights)
    return vggish


def _build_with(vggish: Vggish, weights: list[Weight]) -> None:
    """Makes a network's weights of given values, each read when its turn is: 0.4 GiB where random ones first took 1.1.

    TensorFlow keeps the most memory that it ever had.
    """
    layers = [layer for layer in vggish.network.layers if hasattr(layer, "kernel_initializer")]
    own = [(layer.kernel_initializer, layer.bias_initializer) for layer in layers]
    for layer, kernel, bias in zip(layers, weights[::2], weights[1::2], strict=True):
        layer.kernel_initializer, layer.bias_initializer = _giving(kernel), _giving(bias)
    vggish.build()
    for layer, (kernel, bias) in zip(layers, own, strict=True):
        layer.kernel_initializer, layer.bias_initializer = kernel, bias


def _giving(weight: Weight) -> Callable:
    """An initializer that gives what is read."""
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(weight(), dtype)


def weights_digest(vggish: Vggish) -> str:
    """SHA-256 of the weights' values, the same whatever kind of file they came from."""
    digest = hashlib.sha256()
    for variable in vggish.weights:
        for start in range(0, variable.shape[0], ROWS_AT_ONCE):  # no copy of all of it
            part = keras.ops.convert_to_numpy(variable.value[start : start + ROWS_AT_ONCE])
            digest.update(np.ascontiguousarray(part, np.float32))
    return digest.hexdigest()


def check_weights(folder: str | os.PathLike = "") -> list[str]:
    """Tries weights and PCA of a folder with Google's smoke test; says what is wrong, nothing where all is well."""
    try:
        files = find_weights(folder)
        return smoke_test(load_vggish(files.model), load_pca(files.pca))
    except UserError as error:
        return [str(error)]


def _read_keras(path: Path) -> tuple[float, list[Weight]]:
    """Width and weights of a .keras file that a Vggish was saved to."""
    try:
        saved = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} cannot be read as a Keras model: {_first_line(error)}") from error
    if not isinstance(saved, Vggish):
        raise UserError(f"{path} holds a {type(saved).__name__}, not a Vggish: save the Vggish within it alone.")
    return saved.width, _held(saved)


def _read_h5(path: Path) -> tuple[float, list[Weight]]:
    """Weights that a Vggish of full width saved to a .weights.h5 file."""
    vggish = Vggish()
    vggish.build()
    try:
        vggish.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path} does not hold VGGish's weights: {_first_line(error)}") from error
    return 1.0, _held(vggish)


def _held(vggish: Vggish) -> list[Weight]:
    """The weights of a network that is there."""
    return [functools.partial(keras.ops.convert_to_numpy, variable.value) for variable in vggish.weights]


def _read_checkpoint(path: Path) -> tuple[float, list[Weight]]:
    """Weights in a TensorFlow checkpoint, of format V1 as Google's or V2, by name."""
    import tensorflow as tf

    with _checkpoint_errors(path):
        reader = tf.train.load_checkpoint(str(path))
        shapes = reader.get_variable_to_shape_map()
        width, names = _checked(path, shapes)
    places = places_of_floats(path)

    def tensor(name: str) -> tf.Tensor | np.ndarray:
        begin, end = places.get(name, (0, 0))
        if end - begin == 4 * math.prod(shapes[name]):
            floats = read_floats(path, (begin, end)).reshape(shapes[name])
            return tf.experimental.dlpack.from_dlpack(floats.__dlpack__())  # no copy, where others make two
        with _checkpoint_errors(path):
            return reader.get_tensor(name)

    return width, [functools.partial(tensor, name) for name in names]


@contextlib.contextmanager
def _checkpoint_errors(path: Path) -> Iterator[None]:
    """Makes the user's of TensorFlow's errors."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} cannot be read as a TensorFlow checkpoint: {_first_line(error)}") from error


def _checked(path: Path, shapes: dict[str, list[int]]) -> tuple[float, list[str]]:
    """Width of the network in a checkpoint, and its variables' names in the order of the model's weights."""
    missing = [f"{scope}/{kind}" for scope in SCOPES.values() for kind in KINDS if f"{scope}/{kind}" not in shapes]
    if missing:
        raise UserError(f"{path} is no checkpoint of VGGish: it lacks {_some(missing)}; it has {_some(shapes)}.")
    width = math.prod(shapes["vggish/conv1/biases"]) / GROUPS[0]["conv1"]
    with keras.StatelessScope(initialize_variables=False):  # shapes without values
        vggish = Vggish(width=width)
        vggish.build()
    names = []
    for layer, scope in SCOPES.items():
        for kind, weight in zip(KINDS, vggish.network.get_layer(layer).weights, strict=True):
            names.append(f"{scope}/{kind}")
            if tuple(shapes[names[-1]]) != tuple(weight.shape):
                raise UserError(f"{path}: {names[-1]} is {shapes[names[-1]]}, and VGGish's is {list(weight.shape)}.")
    return width, names


def _some(names) -> str:
    """The first names of several."""
    first = sorted(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if first else "nothing"


def _first_line(error: Exception) -> str:
    """What an error says, on one line."""
    lines = reason(error).strip().splitlines()
    return lines[0].rstrip(".:") + "."
