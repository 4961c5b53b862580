"""How tensors flow through a model: each layer in the order of its call, with what goes in and what comes out.

The layers are watched while the model is called in a TensorFlow graph, and what a layer is fed is followed back through
that graph to the layers before it; so the diagram is of the model that runs, whatever its code looks like.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from rich.markup import escape
from rich.table import Table

JOINS = {"ConcatV2": "concatenated", "Pack": "stacked", "AddV2": "added", "Mul": "multiplied"}


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        depth: Layers that it is called within.
        name: The layer's name.
        kind: Its class, or "" of the features that the model is fed.
        shape: What comes out, without the batch; those of several tensors one after the other.
        sources: Names of the layers, or of the features, that it is fed from.
        join: How several of them meet, or "".
        parameters: Numbers that the layer holds.
    """

    depth: int
    name: str
    kind: str
    shape: list[list[int | None]]
    sources: list[str]
    join: str
    parameters: int


def watch(model: keras.Model, clip: dict[str, tf.Tensor]) -> list[Call]:
    """Calls a model that is built, and tells what its layers were called with, in that order.

    Args:
        model: the model.
        clip: what it is fed, tensors of the graph that is being made.

    Returns:
        The features, every layer, and the logits last, as "output". Layers within Keras' own are left out.
    """
    watched = _Watched(clip["features"])
    with watched.layers():
        logits = model(clip, training=False)
    watched.note("output", logits)
    return watched.calls


def diagram(calls: list[Call]) -> Table:
    """Draws layers below each other, those within another one indented: what comes out of each, and where it is from.

    Where a layer is fed from the one above it, as in a chain, that is not said.
    """
    drawing = Table.grid(padding=(0, 2))
    for number, call in enumerate(calls):
        before = next((each for each in reversed(calls[:number]) if each.depth <= call.depth), None)
        after = next((each for each in calls[number + 1 :] if each.depth <= call.depth), calls[-1])
        branch = "│  " * (call.depth - 1) + ("├─ " if after.depth == call.depth else "└─ ") if call.depth else ""
        shape = ", ".join(" × ".join(map(str, each)) or "1" for each in call.shape)
        source = _fed_from(call, before, calls[number - 1])
        drawing.add_row(escape(branch + call.name), call.kind, f"→ {shape}", escape(source))
    return drawing


def _fed_from(call: Call, before: Call | None, above: Call) -> str:
    """Where a layer is fed from, if it is not the layer before it, nor what the layer around it is fed."""
    is_first_within = call.depth > above.depth and call.sources == above.sources
    if before is None or is_first_within or call.sources in ([], [before.name]):
        return ""
    return f"← {', '.join(call.sources)} {call.join}".rstrip()


class _Watched:
    """What was seen of a model's layers so far: their calls, and which of them gave which tensor."""

    def __init__(self, features: tf.Tensor):
        self.calls = [Call(0, "features", "", _shapes(features), [], "", 0)]
        self.makers = {_key(features): 0}  # places in `calls`
        self.depth = -1  # the model itself is not shown
        self.hidden = False

    @contextlib.contextmanager
    def layers(self) -> Iterator[None]:
        """Has every layer that is called be noted."""
        original = keras.layers.Layer.__call__

        @functools.wraps(original)
        def call(layer, *arguments, **more):
            if self.hidden or self.depth < 0:
                return self._within(layer, functools.partial(original, layer, *arguments, **more))
            return self._noted(layer, functools.partial(original, layer, *arguments, **more), arguments)

        keras.layers.Layer.__call__ = call
        try:
            yield
        finally:
            keras.layers.Layer.__call__ = original

    def note(self, name: str, outputs, kind: str = "", parameters: int = 0) -> None:
        """Notes what comes out of a model, or of a layer that holds others, and from which of them it is."""
        sources, join = self._origin(*_tensors(outputs))
        self.calls.append(Call(self.depth + 1, name, kind, _shapes(outputs), sources, join, parameters))

    def _noted(self, layer: keras.layers.Layer, call: Callable, arguments) -> Any:
        """Calls a layer, and notes it before the layers within it."""
        (sources, join), place = self._origin(*_tensors(arguments)), len(self.calls)
        self.calls.append(Call(self.depth, layer.name, type(layer).__name__, [], sources, join, 0))
        outputs = self._within(layer, call)
        shapes, parameters = _shapes(outputs), layer.count_params()
        self.calls[place] = dataclasses.replace(self.calls[place], shape=shapes, parameters=parameters)
        if len(self.calls) > place + 1 and self._origin(*_tensors(outputs))[0] != [self.calls[-1].name]:
            self.note("output", outputs)
        self.makers.update({_key(tensor): place for tensor in _tensors(outputs)})
        return outputs

    def _within(self, layer: keras.layers.Layer, call: Callable) -> Any:
        """Calls a layer one level deeper; what is within Keras' own, but for its containers, is hidden."""
        hidden = self.hidden
        self.hidden = hidden or (layer.__module__.startswith("keras.") and not isinstance(layer, keras.Model))
        self.depth += 1
        try:
            return call()
        finally:
            self.depth -= 1
            self.hidden = hidden

    def _origin(self, *tensors: tf.Tensor) -> tuple[list[str], str]:
        """Names of the layers that tensors come from, and how these meet."""
        known: dict[tuple, list[int]] = {}
        places = list(dict.fromkeys(place for each in tensors for place in self._sources(each, known)))
        join = self._join(tensors[0], known) if len(tensors) == 1 and len(places) > 1 else ""
        return [self.calls[place].name for place in places], join

    def _sources(self, tensor: tf.Tensor, known: dict[tuple, list[int]]) -> list[int]:
        """The nearest layers behind a tensor, in the order of an operation's inputs; those of each tensor are kept."""
        waiting = [tensor]
        while waiting:
            current = waiting[-1]
            if _key(current) in self.makers:
                known[_key(current)] = [self.makers[_key(current)]]
            missing = [each for each in current.op.inputs if _key(each) not in known]
            if _key(current) in known or not missing:
                found = [place for each in current.op.inputs for place in known.get(_key(each), [])]
                known.setdefault(_key(current), list(dict.fromkeys(found)))
                waiting.pop()
            else:
                waiting += reversed(missing)
        return known[_key(tensor)]

    def _join(self, tensor: tf.Tensor, known: dict[tuple, list[int]]) -> str:
        """How several layers meet in a tensor: by the last operation that is fed by more than one of its inputs."""
        while _key(tensor) not in self.makers:
            fed = [each for each in tensor.op.inputs if known[_key(each)]]
            if len(fed) != 1:
                return JOINS.get(tensor.op.type, "combined")
            tensor = fed[0]
        return ""


def _key(tensor: tf.Tensor) -> tuple[int, str]:
    """What tells a tensor from all others, those of other graphs too."""
    return id(tensor.graph), tensor.name


def _tensors(arguments) -> list[tf.Tensor]:
    """All tensors in nested arguments."""
    return [each for each in keras.tree.flatten(arguments) if tf.is_tensor(each)]


def _shapes(outputs) -> list[list[int | None]]:
    """Shapes of all tensors, without the batch."""
    return [tensor.shape.as_list()[1:] for tensor in _tensors(outputs)]
