"""The floating-point operations of a JAX program, 2 a multiply-add, its loops counted at each turn.

    flops(jax.jit(function).trace(*arguments).jaxpr.jaxpr)

XLA's own count takes the body of a loop once, however often it turns: a tenth of what an LSTM costs over ten frames.
"""

import math
from collections.abc import Iterator

from jax.extend.core import ClosedJaxpr, Jaxpr


def flops(program: Jaxpr) -> int:
    """Counts what a program's matrix products and convolutions take, in all of its branches.

    A loop that does not say how often it turns is taken once; `scan`, which Keras' recurrent layers use, says it.
    """
    total = 0
    for equation in program.eqns:
        outputs = math.prod(equation.outvars[0].aval.shape) if equation.outvars else 0
        if equation.primitive.name == "dot_general":
            (summed, _), _ = equation.params["dimension_numbers"]
            total += 2 * outputs * math.prod(equation.invars[0].aval.shape[axis] for axis in summed)
        elif equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            features = equation.params["dimension_numbers"].rhs_spec[0]
            total += 2 * outputs * math.prod(kernel) // kernel[features]
        else:
            turns = equation.params["length"] if equation.primitive.name == "scan" else 1
            total += turns * sum(flops(each) for each in inner_programs(equation.params))
    return total


def inner_programs(parameters: dict) -> Iterator[Jaxpr]:
    """The programs that an operation holds: a loop's body, a function's."""
    for value in parameters.values():
        for each in value if isinstance(value, tuple | list) else [value]:
            if isinstance(each, ClosedJaxpr | Jaxpr):
                yield each.jaxpr if isinstance(each, ClosedJaxpr) else each
