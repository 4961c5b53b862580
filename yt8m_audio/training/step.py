"""One call of the device that runs many training steps.

    call = TrainCall(model, optimizer, loss, config, strategy, batch_shape=(1024, 527))
    call.run(iterator, tf.constant(20))
    call.report()            # mean loss, Hit@1 and the last batch since the report before

Nothing comes back to the host in between.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from yt8m_audio.batch import model_inputs, only_rated
from yt8m_audio.config import TrainConfig
from yt8m_audio.replicas import on_each_replica, replica_number, sum_over_replicas
from yt8m_audio.training.augmentation import augment, augments
from yt8m_audio.training.input_wait import InputWait
from yt8m_audio.training.loss_scale import LossScale, restore_unless
from yt8m_audio.training.losses import distilled
from yt8m_audio.training.moving_average import MovingAverage

NEVER = np.iinfo(np.int64).max
DRAWS_PER_STEP = 1024  # more than any model draws in a step: each step's random numbers begin at a place of their own


@dataclasses.dataclass(frozen=True)
class StepReport:
    """What some training steps gave.

    Attributes:
        loss: mean label loss a clip, neither regularisation nor a teacher counted.
        hit_at_one: share of clips whose highest class is true; for segments, the highest rated class.
        probabilities: the last batch's, float32 [≤ B, C]; 0 for classes that were not rated. Of several devices, those
            that the first has.
        labels: uint8 [≤ B, C], the same clips'.
        not_finite_at: the first step whose loss or gradient was not finite, or None.
        input_wait: seconds that steps stood still for their batches; None where that is not measured, on a TPU.
    """

    loss: float
    hit_at_one: float
    probabilities: np.ndarray
    labels: np.ndarray
    not_finite_at: int | None
    input_wait: float | None


class TrainCall:
    """Runs training steps on every replica, and adds up what they give on the device.

    Gradients are summed over replicas and divided by the global number of clips before they are clipped, so that
    N replicas give the numbers of one.

    Args:
        model: the model, built.
        optimizer: its optimizer, built, which takes gradients that are summed over replicas (see optimizers.py).
        loss: the label loss.
        config: settings.
        strategy: the replicas, in whose scope model and optimizer were made.
        batch_shape: clips of a batch over all replicas, and classes.
    """

    def __init__(self, model, optimizer, loss, config: TrainConfig, strategy: tf.distribute.Strategy, batch_shape):
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.config, self.strategy = config, strategy
        self.seed_states = [each for each in model.variables if "seed_generator_state" in each.path]
        rows = batch_shape[0] // strategy.num_replicas_in_sync
        with strategy.scope():
            self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
            self.not_finite_at = on_each_replica(NEVER, tf.int64, tf.VariableAggregation.ONLY_FIRST_REPLICA)
            self.sums = on_each_replica([0.0, 0.0, 0.0], tf.float32, tf.VariableAggregation.SUM)
            first = tf.VariableAggregation.ONLY_FIRST_REPLICA
            self.last_probabilities = on_each_replica(np.zeros((rows, batch_shape[1])), tf.float32, first)
            # Bits, as workers cannot send one another bytes.
            self.last_labels = on_each_replica(np.zeros((rows, batch_shape[1]), bool), tf.bool, first)
            self.last_weights = on_each_replica(np.zeros(rows), tf.float32, first)
            self.average = make_average(model.trainable_variables, config)
            self.loss_scale = LossScale() if config.precision == "mixed_float16" else None
        # A TPU's host runs ahead of it, and to ask when a step is done would hold it back.
        self.input_wait = None if isinstance(strategy, tf.distribute.TPUStrategy) else InputWait(strategy)
        compiles = config.jit_compile and strategy.num_replicas_in_sync == 1  # a TPU compiles anyway
        self.replica_call = tf.function(self.replica_step, jit_compile=True) if compiles else self.replica_step

    @property
    def variables(self) -> list:
        """Everything a checkpoint holds: what is evaluated first, that is the averages where there are some."""
        if self.average is None:
            return [*self.model.variables, *self.optimizer.variables]
        evaluated = self.average.in_place_of_weights(self.model.variables)
        return [*evaluated, *self.optimizer.variables, *self.model.trainable_variables]

    @property
    def state(self) -> dict:
        """What a checkpoint notes beside the variables."""
        return {"loss_scale": self.loss_scale.state} if self.loss_scale else {}

    def resume(self, state: dict) -> None:
        """Takes up what a checkpoint notes."""
        self.step.assign(state["step"])
        if self.loss_scale and "loss_scale" in state:
            self.loss_scale.resume(state["loss_scale"])

    @tf.function
    def run(self, iterator, steps):
        """Runs `steps` training steps, int32 []."""
        if self.input_wait:
            self.input_wait.begin()
        for _ in tf.range(steps):
            batch = next(iterator)
            if self.input_wait:
                self.input_wait.batch_is_there(batch)
            done = self.strategy.run(self.replica_call, (batch,))
            if self.input_wait:
                self.input_wait.step_is_done(done)
            self.step.assign_add(1)

    def report(self) -> StepReport:
        """Reads what has been added up since the report before, and begins anew."""
        loss, hits, clips = self.sums.numpy()
        self.sums.assign(tf.zeros_like(self.sums))
        real = self.last_weights.numpy() > 0
        not_finite_at = int(self.not_finite_at.numpy())
        return StepReport(
            loss=float(loss / max(clips, 1)),
            hit_at_one=float(hits / max(clips, 1)),
            probabilities=self.last_probabilities.numpy()[real],
            labels=self.last_labels.numpy()[real].astype(np.uint8),
            not_finite_at=None if not_finite_at == NEVER else not_finite_at,
            input_wait=self.input_wait.take() if self.input_wait else None,
        )

    def replica_step(self, batch):
        """Forward, backward and update, on one replica's part of a batch; what it returns is there when it is done."""
        self._seed_random_numbers()
        if augments(self.config):
            batch = augment(batch, self.config, self._seed_of_augmentation())
        changed = [*self.model.variables, *self.optimizer.variables] if self.loss_scale else []
        before = [tf.identity(each.value) for each in changed]
        gradients, logits, losses = self._gradients(batch)  # of all replicas; [B, C]; [B]
        finite = self._note_what_is_not_finite(losses, gradients)
        self._update(gradients, self.model.trainable_variables)
        if self.loss_scale:
            restore_unless(finite, changed, before)
            self.loss_scale.adapt(finite)
        if self.average:
            self.average.update(self.step)
        self._add_up(logits, batch, losses)
        return self._all_done()

    def _gradients(self, batch):
        """Gradients of a batch, summed over its parts and over replicas; logits [B, C]; label losses [B]."""
        global_clips = tf.maximum(sum_over_replicas(tf.reduce_sum(batch["example_weights"])), 1.0)
        parts = self.config.accumulation_steps
        if parts == 1:
            gradients, logits, losses = self._gradients_of_part(batch, global_clips)
        else:
            gradients, logits, losses = self._accumulated(batch, global_clips, parts)
        factor = self.loss_scale.factor if self.loss_scale else 1.0
        gradients = sum_over_replicas(gradients)
        return [gradient / factor for gradient in gradients] if self.loss_scale else gradients, logits, losses

    def _accumulated(self, batch, global_clips, parts: int):
        """The same as of a batch at once, part by part, so that one part's memory is enough."""
        size, classes = batch["labels"].shape
        parted = {key: tf.reshape(each, [parts, size // parts, *each.shape[1:]]) for key, each in batch.items()}

        def add(part, gradients, logits, losses):
            taken = {key: tf.gather(each, part) for key, each in parted.items()}
            found, part_logits, part_losses = self._gradients_of_part(taken, global_clips)
            gradients = [one + other for one, other in zip(gradients, found, strict=True)]
            logits = tf.tensor_scatter_nd_update(logits, [[part]], part_logits[None])
            return part + 1, gradients, logits, tf.tensor_scatter_nd_update(losses, [[part]], part_losses[None])

        zeros = [tf.zeros(each.shape, tf.float32) for each in self.model.trainable_variables]
        state = 0, zeros, tf.zeros([parts, size // parts, classes]), tf.zeros([parts, size // parts])
        _, gradients, logits, losses = _repeated(add, state, parts, self.strategy.num_replicas_in_sync)
        return gradients, tf.reshape(logits, [size, classes]), tf.reshape(losses, [size])

    def _gradients_of_part(self, batch, global_clips):
        """Gradients of some clips' share of the loss, scaled; logits [b, C]; label losses [b], 0 where not real."""
        weights = batch["example_weights"]  # [b]
        shares = self.strategy.num_replicas_in_sync * self.config.accumulation_steps
        with tf.GradientTape() as tape:
            logits = self.model(model_inputs(batch), training=True)  # [b, C]
            label_losses = self.loss(batch["labels"], logits, batch.get("label_weights"))  # [b]
            losses = distilled(label_losses, logits, batch) * weights  # [b]
            total = tf.reduce_sum(losses) / global_clips + self._penalty() / shares
            if self.loss_scale:
                total *= self.loss_scale.factor
        variables = [each.value for each in self.model.trainable_variables]
        gradients = tape.gradient(total, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return gradients, logits, label_losses * weights

    def _penalty(self):
        """Regularisation times its factor, and auxiliary losses as they are."""
        regularization = sum(each.regularizer(each) for each in self.model.trainable_variables if each.regularizer)
        return tf.add_n([0.0, *self.model.losses]) + (self.config.regularization_penalty - 1) * regularization

    def _update(self, gradients, variables):
        """Clips gradients, which are summed over replicas, and hands them to the optimizer."""
        if self.config.clip_gradient_norm > 0:
            gradients = [tf.clip_by_norm(gradient, self.config.clip_gradient_norm) for gradient in gradients]
        if self.config.clip_global_norm > 0:
            gradients, _ = tf.clip_by_global_norm(gradients, self.config.clip_global_norm)
        self.optimizer.apply(gradients, variables)

    def _note_what_is_not_finite(self, losses, gradients):
        """Notes the first step whose loss, or whose gradient and so the weights behind it, is not finite.

        Where the loss is scaled, that is no fault while the factor can still fall.

        Returns:
            Whether all are finite, bool [].
        """
        total = sum_over_replicas(tf.reduce_sum(losses)) + tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(total)
        fine = tf.logical_or(finite, self.loss_scale.factor > 1) if self.loss_scale else finite
        self.not_finite_at.assign(tf.minimum(self.not_finite_at, tf.where(fine, NEVER, self.step + 1)))
        return finite

    def _add_up(self, logits, batch, losses):
        """Adds to the sums, and keeps the batch for the figures that need a ranking; mixed clips have both's labels."""
        labels, weights = batch["labels"] > 0, batch["example_weights"]
        probabilities = only_rated(tf.sigmoid(logits), batch.get("label_weights"))  # [B, C]
        best = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        hits = tf.cast(tf.gather(labels, best, axis=1, batch_dims=1), tf.float32) * weights
        self.sums.assign_add(tf.stack([tf.reduce_sum(losses), tf.reduce_sum(hits), tf.reduce_sum(weights)]))
        self.last_probabilities.assign(probabilities)
        self.last_labels.assign(labels)
        self.last_weights.assign(weights)

    def _all_done(self):
        """A number of each variable that a step changes last: there when the step is done, float32 [variables]."""
        kept = (self.sums, self.last_probabilities, self.last_labels, self.last_weights)
        changed = [*(each.value for each in self.model.trainable_variables), *kept]
        return tf.stack([tf.cast(tf.reshape(each, [-1])[0], tf.float32) for each in changed])

    def _seed_random_numbers(self):
        """Makes every random number of a step a function of (seed, step, replica)."""
        draws = DRAWS_PER_STEP * self.config.accumulation_steps
        for number, state in enumerate(self.seed_states):
            stream = self.config.seed * len(self.seed_states) + number
            place = keras.ops.stack([stream, self._place() * draws])
            state.assign(keras.ops.cast(place, state.dtype))

    def _seed_of_augmentation(self):
        """A seed of its own for each step and replica, int32 [2]."""
        seed = tf.constant(np.uint32(self.config.seed).view(np.int32))
        return tf.stack([seed, tf.cast(self._place(), tf.int32)])

    def _place(self):
        """Which of all replicas' steps this is, int64 []."""
        return self.step * self.strategy.num_replicas_in_sync + tf.cast(replica_number(), tf.int64)


def make_average(variables: list, config: TrainConfig) -> MovingAverage | None:
    """The moving average of the weights, where the config asks for one."""
    return MovingAverage(variables, config.ema_momentum) if config.ema_momentum else None


def _repeated(work, state: tuple, times: int, replicas: int) -> tuple:
    """Does some work several times, each time with what the time before gave; state[0] counts.

    On one replica it is a loop; TensorFlow has no sums over replicas in loops, so on several the work is laid out, and
    each time waits for the one before.
    """
    if replicas == 1:
        return tf.while_loop(
            lambda count, *_: count < times, work, state, maximum_iterations=times, parallel_iterations=1
        )
    for _ in range(times):
        with tf.control_dependencies(tf.nest.flatten(state[1:])):
            state = work(*state)
    return state
