"""What should accelerators give that were not at hand? Their published peaks over what a training step costs.

    python -m benchmarks.scaling        # prints the tables of docs/scaling.md, and writes them there

A step is a sum of four times, as if nothing overlapped and each ran at the peak of what bounds it: matrix products,
each by its FLOPs or by its bytes, whichever takes longer (the roofline of Williams et al. 2009,
doi:10.1145/1498765.1498785); passes over activations; traffic of weights and optimizer; the all-reduce of gradients.
Input is made and moved meanwhile, and bounds the rate where it is slower. B clips a device, T frames, D features,
C classes, H units.
"""

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.pages import put_between
from yt8m_audio.flags import quieten_tensorflow

ROOT = Path(__file__).parents[1]
BATCH_SIZE, TABLE_BATCH = 1024, 128  # clips a device; a chip of BUILD.md's TPU table
BFLOAT16, FLOAT32 = 2, 4  # bytes
FORWARD_AND_BACKWARD = 3  # products of a layer: its outputs, the gradients of its inputs, those of its weights
WEIGHT_BYTES = {  # of memory traffic a parameter and step
    "weight to bfloat16": FLOAT32 + BFLOAT16,
    "gradient to float32": BFLOAT16 + FLOAT32,
    "norm of the gradient, for clipping": FLOAT32,
    "Adam: reads gradient, weight, two moments": 4 * FLOAT32,
    "Adam: writes weight, two moments": 3 * FLOAT32,
}
ASSUMED_TURN = 5e-6  # seconds that a turn of a recurrence takes beside its products, where that is asked
AUDIOSET_CLIPS = 22_160 + 2_041_789  # both training splits
BOUNDS = ("matrix products", "memory traffic", "all-reduce", "PCIe", "reading")


@dataclasses.dataclass(frozen=True)
class Machine:
    """What is published of one.

    Attributes:
        name: for people.
        chips: devices that train.
        hosts: machines that feed them.
        flops: of a chip, dense, in bfloat16, a second.
        memory: bytes a second of a chip's own memory.
        links: bytes a second that a chip can send to others; that of the chip with the fewest links.
        host: bytes a second from a host to one chip.
    """

    name: str
    chips: int
    hosts: int
    flops: float
    memory: float
    links: float
    host: float


MACHINES = (
    Machine("1 × H100", 1, 1, 989e12, 3.35e12, 450e9, 64e9),
    Machine("8 × H100", 8, 1, 989e12, 3.35e12, 450e9, 64e9),
    Machine("v5e-8", 8, 1, 197e12, 819e9, 2 * 50e9, 15e9),
    Machine("v5e-256", 256, 32, 197e12, 819e9, 4 * 50e9, 15e9),
)


@dataclasses.dataclass(frozen=True)
class Product:
    """A layer's matrix product.

    Attributes:
        rows: of a clip.
        inputs: K of [rows, K] × [K, units].
        units: columns of the weights.
        turns: parts that the rows come in, one after another; the weights are read for each.
    """

    rows: int
    inputs: int
    units: int
    turns: int = 1

    @property
    def flops(self) -> int:
        """Of a clip's forward pass, 2 a multiply-add."""
        return 2 * self.rows * self.inputs * self.units

    def bytes(self, batch_size: int) -> int:
        """Read and written for a batch, once forward."""
        activations = batch_size * self.rows * (self.inputs + self.units)
        return BFLOAT16 * (activations + self.turns * self.inputs * self.units)


@dataclasses.dataclass(frozen=True)
class Passes:
    """Readings and writings of activations beside those of products, forward and backward.

    Attributes:
        what: which.
        elements: of a clip.
        passes: how often each element is read or written.
        width: bytes of an element.
    """

    what: str
    elements: int
    passes: int
    width: int = BFLOAT16

    @property
    def bytes(self) -> int:
        """Of a clip."""
        return self.elements * self.passes * self.width


@dataclasses.dataclass(frozen=True)
class Work:
    """What a model does with a clip.

    Attributes:
        model: its name.
        num_frames: T.
        feature_sizes: that sum to D.
        num_classes: C.
        products: all matrix products.
        passes: all that is passed over beside them.
        kept: elements kept from forward to backward, in bfloat16.
        turns: of its recurrences, forward and backward, one after another in a step.
    """

    model: str
    num_frames: int
    feature_sizes: tuple[int, ...]
    num_classes: int
    products: tuple[Product, ...]
    passes: tuple[Passes, ...]
    kept: int
    turns: int = 0

    @property
    def name(self) -> str:
        """For people, with the shape where it is not AudioSet's."""
        return self.model if self.num_frames == 10 else f"{self.model}, {self.num_frames} × {sum(self.feature_sizes)}"

    @property
    def flops(self) -> int:
        """Of a clip's forward pass."""
        return sum(product.flops for product in self.products)

    @property
    def input_bytes(self) -> int:
        """Of a clip, to a device: features, labels, num_frames and example_weights."""
        return self.num_frames * sum(self.feature_sizes) + self.num_classes + 2 * FLOAT32


def lstm(num_frames: int = 10, feature_sizes: tuple[int, ...] = (128,), num_classes: int = 527) -> Work:
    """LstmModel: two layers of 1,024 cells, a mixture of experts on the last output."""
    size, cells, layers = sum(feature_sizes), 1024, 2
    widths = (size, *[cells] * (2 * layers - 1))  # inputs and states of both layers
    products = [Product(num_frames, width, 4 * cells, turns=num_frames) for width in widths]
    cell_frames = num_frames * layers * cells
    # Forward: 4 gates, read and kept; state read, state and output written. Backward: 4 gates read, 4 gradients
    # written; two states, the output's gradient, and the state's gradient read and written.
    passes = Passes("gates, states and outputs of the cells", cell_frames, 11 + 13)
    return Work(
        "LstmModel",
        num_frames,
        feature_sizes,
        num_classes,
        (*products, mixture(cells, num_classes)),
        (passes, *around(num_frames * size, num_classes), mixing(num_classes)),
        kept=6 * cell_frames + num_frames * size,
        turns=2 * layers * num_frames,
    )


def feature_level_attention(num_frames: int = 10, size: int = 128, num_classes: int = 527) -> Work:
    """FeatureLevelAttentionModel: three hidden layers of 1,024, values and attention of as many."""
    units = 1024
    layers = [Product(num_frames, inputs, units) for inputs in (size, *[units] * 4)]
    hidden = num_frames * units
    return Work(
        "FeatureLevelAttentionModel",
        num_frames,
        (size,),
        num_classes,
        (*layers, Product(1, units, num_classes)),
        (
            # Forward: read for the statistics, read, written. Backward: both read for the sums, both read, written.
            Passes("normalisation, ReLU and dropout of three layers", 3 * hidden, 3 + 5),
            Passes("values and attention", 2 * hidden, 1 + 2),
            *around(num_frames * size, num_classes),
        ),
        kept=(2 * 3 + 2) * hidden + num_frames * size,
    )


def dbof(num_frames: int = 10, size: int = 128, num_classes: int = 527) -> Work:
    """DbofModel: 8,192 clusters, a hidden layer of 1,024, a mixture of experts."""
    clusters, units = 8192, 1024
    return Work(
        "DbofModel",
        num_frames,
        (size,),
        num_classes,
        (Product(num_frames, size, clusters), Product(1, clusters, units), mixture(units, num_classes)),
        (
            # Backward: read to count the largest, read again, gradient written.
            Passes("largest cluster over frames", num_frames * clusters, 1 + 3),
            Passes("normalisation of the pool", clusters, 3 + 5),
            *around(num_frames * size, num_classes),
            mixing(num_classes),
        ),
        kept=(num_frames + 1) * clusters + num_frames * size,
    )


def mixture(inputs: int, num_classes: int) -> Product:
    """The product of a mixture of two experts a class and the dummy: two experts and three gates."""
    return Product(1, inputs, 5 * num_classes)


def mixing(num_classes: int) -> Passes:
    """What is passed over to mix them."""
    return Passes("mixture of experts", 5 * num_classes, 3 + 5, FLOAT32)


def around(inputs: int, num_classes: int) -> tuple[Passes, Passes]:
    """What every model passes over: its inputs, normalised, and its logits."""
    return (
        Passes("inputs: bytes to bfloat16, normalised", inputs, 9),
        Passes("loss, figures and last batch", num_classes, 10, FLOAT32),
    )


AUDIOSET_WORKS = (lstm(), feature_level_attention(), dbof())
WORKS = (*AUDIOSET_WORKS, lstm(300, (1024, 128), 3862))


@dataclasses.dataclass(frozen=True)
class Step:
    """The times of one training step, in seconds.

    Attributes:
        matrix: matrix products, by their FLOPs alone.
        products: the same, each by FLOPs or bytes.
        passes: over activations.
        weights: traffic of weights and optimizer.
        all_reduce: of gradients.
    """

    matrix: float
    products: float
    passes: float
    weights: float
    all_reduce: float

    @property
    def total(self) -> float:
        """All of it, one after another."""
        return self.products + self.passes + self.weights + self.all_reduce


def step(work: Work, parameters: int, machine: Machine, batch_size: int = BATCH_SIZE) -> Step:
    """The times of a step of a batch on each chip."""
    by_flops = [batch_size * each.flops / machine.flops for each in work.products]
    by_bytes = [each.bytes(batch_size) / machine.memory for each in work.products]
    sent = 2 * FLOAT32 * parameters * (machine.chips - 1) / machine.chips  # scattered and gathered
    return Step(
        matrix=FORWARD_AND_BACKWARD * sum(by_flops),
        products=FORWARD_AND_BACKWARD * sum(map(max, by_flops, by_bytes)),
        passes=batch_size * sum(each.bytes for each in work.passes) / machine.memory,
        weights=parameters * sum(WEIGHT_BYTES.values()) / machine.memory,
        all_reduce=sent / machine.links,
    )


@dataclasses.dataclass(frozen=True)
class Rates:
    """Clips a second of a whole machine.

    Attributes:
        matrix: were matrix products all.
        devices: of the whole step.
        host: that come from the hosts' memory to the devices.
        reading: that are read.
        bound: what the least of them is due to, one of BOUNDS.
    """

    matrix: float
    devices: float
    host: float
    reading: float
    bound: str

    @property
    def given(self) -> float:
        """The least of all."""
        return min(self.devices, self.host, self.reading)


def rates(work: Work, parameters: int, machine: Machine, reading: float) -> Rates:
    """What a machine gives.

    Args:
        work: of the model.
        parameters: of the model.
        machine: on which.
        reading: clips a second that a host reads; each reads the batches of all and keeps its rows.
    """
    took, clips = step(work, parameters, machine), machine.chips * BATCH_SIZE
    devices, host = clips / took.total, machine.chips * machine.host / work.input_bytes
    memory = took.total - took.matrix - took.all_reduce
    terms = dict(zip(BOUNDS, (took.matrix, memory, took.all_reduce), strict=False))
    limits = {max(terms, key=terms.get): devices, "PCIe": host, "reading": reading}
    return Rates(clips / took.matrix, devices, host, reading, min(limits, key=limits.get))


def memory_bytes(work: Work, parameters: int, batch_size: int, copies: int = 4) -> int:
    """What a chip holds: copies of the weights (they, gradients, two moments), and what is kept for backward."""
    return copies * FLOAT32 * parameters + batch_size * (BFLOAT16 * work.kept + work.input_bytes)


# What is measured or counted elsewhere


def parameters_of(work: Work) -> int:
    """Trained parameters, as `python -m yt8m_audio models` says."""
    import models  # noqa: F401  registers the models
    from yt8m_audio.commands.model_cost import cost
    from yt8m_audio.registry import MODELS

    return cost(MODELS.get(work.model), work.num_frames, work.feature_sizes, work.num_classes).parameters


def row_of(page: str, first_cell: str) -> list[str]:
    """The other cells of a row of a table in Markdown.

    Raises:
        ValueError: if there is no such row.
    """
    found = re.search(rf"^\| {re.escape(first_cell)} \|(.*)\|$", page, re.MULTILINE)
    if not found:
        raise ValueError(f"BUILD.md has no table row that begins with {first_cell!r}.")
    return [cell.strip() for cell in found.group(1).split("|")]


def reading_rate(page: str, work: Work) -> float:
    """Clips a second that two cores read, from BUILD.md: from memory; of YouTube-8M, which no memory holds, records."""
    name = "bal_train from memory, shuffled" if work.num_frames == 10 else "YouTube-8M frames (300 × 1152), in order"
    return float(row_of(page, f"reading {name}")[0].split()[0].replace(",", ""))


# Tables


def tables(page: str, parameters: Sequence[int]) -> dict[str, str]:
    """All tables in Markdown, by the names of their places.

    Args:
        page: BUILD.md.
        parameters: of WORKS.
    """
    pairs = list(zip(WORKS, parameters, strict=True))
    readings = [reading_rate(page, work) for work in WORKS]
    return {
        "scaling-costs": markdown(COST_HEADINGS, (cost_row(page, *pair) for pair in pairs)),
        "scaling-passes": markdown(("model", "what", "elements a clip", "passes", "bytes each"), passes_rows()),
        "scaling-steps": markdown(STEP_HEADINGS, step_rows(pairs)),
        "scaling-rates": markdown(RATE_HEADINGS, rate_rows(pairs, readings)),
        "scaling-turns": markdown(TURN_HEADINGS, turn_rows(pairs)),
        "scaling-one-batch": markdown(
            ("machine", "clips a chip", *[each.model for each in AUDIOSET_WORKS]), one_batch_rows(pairs)
        ),
    }


def markdown(headings: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """A table, its first column to the left and the others to the right."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(["", *(f"| {' | '.join(line)} |" for line in lines), ""])


COST_HEADINGS = (
    "model",
    "parameters",
    "MFLOP forward",
    "GFLOP a step of 1,024",
    "GFLOP counted of a step of 128",
    "3 × forward",
    "GB a chip at 1,024",
    "MiB at 128, compiler's",
    "MiB at 128, derived",
)


def cost_row(page: str, work: Work, parameters: int) -> list[str]:
    """What a model costs, beside what the TPU compiler's table says of it at 10 × 128."""
    mib, counted = row_of(page, work.model)[2:4] if work.num_frames == 10 else ("", "")
    derived = memory_bytes(work, parameters, TABLE_BATCH, copies=2) / 2**20  # weights and gradients, as compiled
    training = FORWARD_AND_BACKWARD * work.flops
    return [
        work.name,
        f"{parameters:,}",
        f"{work.flops / 1e6:,.1f}",
        f"{BATCH_SIZE * training / 1e9:,.1f}",
        counted,
        f"{TABLE_BATCH * training / 1e9:,.2f}",
        f"{memory_bytes(work, parameters, BATCH_SIZE) / 1e9:,.2f}",
        mib,
        f"{derived:,.1f}",
    ]


def passes_rows() -> Iterator[list[str]]:
    """What is passed over, model by model."""
    for work in AUDIOSET_WORKS:
        for each in work.passes:
            yield [work.model, each.what, f"{each.elements:,}", str(each.passes), str(each.width)]


STEP_HEADINGS = (
    "machine",
    "model",
    "by FLOPs alone",
    "products",
    "passes",
    "weights, Adam",
    "all-reduce",
    "step",
    "share of the peak",
)


def step_rows(pairs: Sequence[tuple[Work, int]]) -> Iterator[list[str]]:
    """Times in milliseconds."""
    for machine in MACHINES:
        for work, parameters in pairs:
            took = step(work, parameters, machine)
            times = (took.matrix, took.products, took.passes, took.weights, took.all_reduce, took.total)
            yield [
                machine.name,
                work.name,
                *(f"{1e3 * each:,.2f}" for each in times),
                f"{took.matrix / took.total:.2f}",
            ]


RATE_HEADINGS = (
    "machine",
    "model",
    "FLOPs alone",
    "whole step",
    "PCIe",
    "reading",
    "gives",
    "bounded by",
    "an epoch of AudioSet",
)


def rate_rows(pairs: Sequence[tuple[Work, int]], readings: Sequence[float]) -> Iterator[list[str]]:
    """Clips a second."""
    for machine in MACHINES:
        for (work, parameters), reading in zip(pairs, readings, strict=True):
            found = rates(work, parameters, machine, reading)
            figures = (found.matrix, found.devices, found.host, found.reading, found.given)
            epoch = f"{AUDIOSET_CLIPS / found.given:.1f} s" if work in AUDIOSET_WORKS else ""
            yield [machine.name, work.name, *map(rounded, figures), found.bound, epoch]


TURN_HEADINGS = ("chip", "model", "turns a step", "products of a turn, µs", "step, ms", "with 5 µs more a turn, ms")


def turn_rows(pairs: Sequence[tuple[Work, int]]) -> Iterator[list[str]]:
    """Recurrences: what a turn of the last layer holds, and what each turn's start would add to a step."""
    for machine in (MACHINES[0], dataclasses.replace(MACHINES[2], name="v5e", chips=1)):
        for work, parameters in pairs:
            if work.turns:
                took = step(work, parameters, machine)
                turn = sum(BATCH_SIZE * each.flops / each.turns for each in work.products[2:4]) / machine.flops
                more = took.total + work.turns * ASSUMED_TURN
                yield [
                    machine.name,
                    work.name,
                    str(work.turns),
                    f"{1e6 * turn:.1f}",
                    f"{1e3 * took.total:.2f}",
                    f"{1e3 * more:.2f}",
                ]


def one_batch_rows(pairs: Sequence[tuple[Work, int]]) -> Iterator[list[str]]:
    """Clips a second of the devices where a batch of 1,024 is divided among them."""
    for machine in MACHINES:
        share = BATCH_SIZE // machine.chips
        steps = (step(work, parameters, machine, share) for work, parameters in pairs if work in AUDIOSET_WORKS)
        yield [machine.name, str(share), *(rounded(BATCH_SIZE / each.total) for each in steps)]


def rounded(number: float) -> str:
    """A number to three digits, thousands apart."""
    return f"{float(f'{number:.3g}'):,.0f}"


def main() -> None:
    """Prints the tables, and writes them into docs/scaling.md."""
    quieten_tensorflow()
    build = (ROOT / "BUILD.md").read_text(encoding="utf-8")
    for name, text in tables(build, [parameters_of(work) for work in WORKS]).items():
        print(f"{name}\n{text}")
        put_between(ROOT / "docs" / "scaling.md", name, text)


if __name__ == "__main__":
    main()
