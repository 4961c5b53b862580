"""What the workers of one run agree on, and which of them writes.

    workers = Workers(strategy)
    with workers.loss_named():
        workers.said([3, 4])        # what each worker says, [workers, 2]
        if workers.is_chief: ...    # the one that writes the run directory
        workers.wait()

Each worker is a process that runs the same command; where there is one alone, all this is without effect. TensorFlow's
coordination service notices a worker that is gone: at once where its connection breaks, else after ten seconds
without a heartbeat; every collective operation of the others then fails.
"""

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from yt8m_audio.config import Config, changes
from yt8m_audio.errors import UserError
from yt8m_audio.replicas import replica_number, sum_over_replicas

TASK = re.compile(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)")
CHIEFS_SERVICE = "/tensorflow.CoordinationService/"  # runs on the chief, and an error about it may not name that
OF_A_MACHINE = ("cache", "num_readers", "train_data_pattern", "validation_data_pattern", "label_map", "teacher")


class Workers:
    """The workers of a strategy, of which this process is one.

    Args:
        strategy: the devices; a MultiWorkerMirroredStrategy has several workers, any other one.

    Attributes:
        names: of all workers as TF_CONFIG has them, such as "worker 1 (host:port)".
        number: which of them this is, from 0.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy, self.names, self.number = strategy, ["worker 0"], 0
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            resolver = strategy.cluster_resolver
            jobs = resolver.cluster_spec().as_dict()
            places = [(job, *each) for job in ("chief", "worker") for each in enumerate(jobs.get(job, []))]
            self.names = [f"{job} {index} ({address})" for job, index, address in places]
            self.number = [place[:2] for place in places].index((resolver.task_type, resolver.task_id))

    @property
    def is_chief(self) -> bool:
        """Whether this is the worker that writes, and says how it goes."""
        return self.number == 0

    @property
    def name(self) -> str:
        """This worker's name, and of how many it is one."""
        return f"{self.names[self.number]} of {len(self.names)}"

    def said(self, values: Sequence[int]) -> np.ndarray:
        """What each worker says, once all have said something.

        Args:
            values: what this one says, as many whole numbers as the others.

        Returns:
            int64 [workers, n].
        """
        rows = np.zeros((len(self.names), len(values)), np.int64)
        rows[self.number] = values
        return rows if len(self.names) == 1 else self._sum(tf.constant(rows)).numpy()

    def wait(self) -> None:
        """Waits until all workers are here."""
        self.said([0])

    def same_settings(self, config: Config, num_clips: int) -> Config:
        """The chief's settings, after a look at whether this worker has the same ones.

        Args:
            config: this worker's settings.
            num_clips: how many clips it found to train on.

        Returns:
            Its settings, with the clips kept where the chief keeps them: their order follows from that.

        Raises:
            UserError: if they differ in more than where files lie.
        """
        if len(self.names) == 1:
            return config
        chiefs = json.loads(self._text_of_chief(json.dumps({**config.to_dict(), "clips": num_clips})))
        theirs = Config.from_dict({part: each for part, each in chiefs.items() if part != "clips"})
        differing = {f"--{name}": pair for name, pair in changes(theirs, config).items() if name not in OF_A_MACHINE}
        if num_clips != chiefs["clips"]:
            differing["the number of clips to train on"] = chiefs["clips"], num_clips
        for what, (wanted, found) in differing.items():
            raise UserError(
                f"{what} is {found} for {self.name}, and {wanted} for {self.names[0]}: type the same command on each, "
                "with the same records."
            )
        return dataclasses.replace(config, data=dataclasses.replace(config.data, cache=theirs.data.cache))

    @contextlib.contextmanager
    def loss_named(self) -> Iterator[None]:
        """Turns TensorFlow's error about a worker that is gone into one that names it.

        Raises:
            UserError: in its place.
        """
        try:
            yield
        except tf.errors.OpError as error:
            lost = self._lost(error.message)
            if lost is None:
                raise
            raise UserError(
                f"{lost} does not answer any more: it ended, or the network did. What was saved is whole: "
                "type the same command on every worker to go on from there."
            ) from error

    def _lost(self, message: str) -> str | None:
        """The worker that an error is about: of those that it names, the first one is behind what befell the others."""
        others = [name for name in self.names if name != self.names[self.number]]
        begins = [f"{job} {index} (" for job, index in TASK.findall(message)]
        named = [name for begin in begins for name in others if name.startswith(begin)]
        if not named and CHIEFS_SERVICE in message and not self.is_chief:
            named = self.names
        return named[0] if named else None

    def _text_of_chief(self, text: str) -> str:
        """The chief's text, on every worker."""
        mine = np.frombuffer(text.encode(), np.uint8)
        length = self.said([len(mine)])[0, 0]
        return bytes(self.said(mine if self.is_chief else np.zeros(length))[0].astype(np.uint8)).decode()

    @tf.function
    def _sum(self, rows):
        """Sums int64 [workers, n] over workers."""
        replicas = self.strategy.num_replicas_in_sync // len(self.names)  # of a worker: the first speaks for all

        def of_replica():
            return sum_over_replicas(tf.where(replica_number() % replicas == 0, rows, tf.zeros_like(rows)))

        return self.strategy.experimental_local_results(self.strategy.run(of_replica))[0]
