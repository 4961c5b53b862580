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
from yt8m_audio.replicas import sum_over_replicas
from yt8m_audio.training.losses import distilled

NEVER = np.iinfo(np.int64).max
DRAWS_PER_STEP = 1024  # more than any model draws in a step: each step's random numbers begin at a place of their own


@dataclasses.dataclass(frozen=True)
class StepReport:
    """What some training steps gave.

    Attributes:
        loss: mean label loss a clip, neither regularisation nor a teacher counted.
        hit_at_one: share of clips whose highest class is true; for segments, the highest rated class.
        probabilities: the last batch's, float32 [≤ B, C]; 0 for classes that were not rated.
        labels: the last batch's, uint8 [≤ B, C].
        not_finite_at: the first step whose loss or gradient was not finite, or None.
    """

    loss: float
    hit_at_one: float
    probabilities: np.ndarray
    labels: np.ndarray
    not_finite_at: int | None


class TrainCall:
    """Runs training steps on every replica, and adds up what they give on the device.

    Gradients are summed over replicas and divided by the global number of clips before they are clipped, so that
    N replicas give the numbers of one.
    """

    def __init__(self, model, optimizer, loss, config: TrainConfig, strategy: tf.distribute.Strategy, batch_shape):
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.config, self.strategy = config, strategy
        self.seed_states = [each for each in model.variables if "seed_generator_state" in each.path]
        rows = batch_shape[0] // strategy.num_replicas_in_sync
        with strategy.scope():
            self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
            self.not_finite_at = _on_each_replica(NEVER, tf.int64, tf.VariableAggregation.ONLY_FIRST_REPLICA)
            self.sums = _on_each_replica([0.0, 0.0, 0.0], tf.float32, tf.VariableAggregation.SUM)
            first = tf.VariableAggregation.ONLY_FIRST_REPLICA
            self.last_probabilities = _on_each_replica(np.zeros((rows, batch_shape[1])), tf.float32, first)
            self.last_labels = _on_each_replica(np.zeros((rows, batch_shape[1])), tf.uint8, first)
            self.last_weights = _on_each_replica(np.zeros(rows), tf.float32, first)

    @tf.function
    def run(self, iterator, steps):
        """Runs `steps` training steps, int32 []."""
        for _ in tf.range(steps):
            self.strategy.run(self.replica_step, (next(iterator),))
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
            labels=self.last_labels.numpy()[real],
            not_finite_at=None if not_finite_at == NEVER else not_finite_at,
        )

    def replica_step(self, batch):
        """Forward, backward and update, on one replica's part of a batch."""
        self._seed_random_numbers()
        weights = batch["example_weights"]  # [B]
        global_clips = tf.maximum(sum_over_replicas(tf.reduce_sum(weights)), 1.0)
        with tf.GradientTape() as tape:
            logits = self.model(model_inputs(batch), training=True)  # [B, C]
            label_losses = self.loss(batch["labels"], logits, batch.get("label_weights"))  # [B]
            losses = distilled(label_losses, logits, batch) * weights  # [B]
            total = tf.reduce_sum(losses) / global_clips + self._penalty() / self.strategy.num_replicas_in_sync
        variables = self.model.trainable_variables
        gradients = tape.gradient(total, [each.value for each in variables])
        gradients = [sum_over_replicas(gradient) for gradient in gradients]
        self._note_what_is_not_finite(losses, gradients)
        self._update(gradients, variables)
        self._add_up(logits, batch, label_losses * weights)

    def _penalty(self):
        """Regularisation times its factor, and auxiliary losses as they are."""
        regularization = sum(each.regularizer(each) for each in self.model.trainable_variables if each.regularizer)
        return tf.add_n([0.0, *self.model.losses]) + (self.config.regularization_penalty - 1) * regularization

    def _update(self, gradients, variables):
        """Clips gradients, which are summed over replicas, and hands them to the optimizer."""
        replicas = self.strategy.num_replicas_in_sync
        if self.config.clip_gradient_norm > 0:
            gradients = [tf.clip_by_norm(gradient, self.config.clip_gradient_norm) for gradient in gradients]
        # Keras sums over replicas once more.
        self.optimizer.apply([gradient / replicas for gradient in gradients] if replicas > 1 else gradients, variables)

    def _note_what_is_not_finite(self, losses, gradients):
        """Notes the first step whose loss, or whose gradient and so the weights behind it, is not finite."""
        total = sum_over_replicas(tf.reduce_sum(losses)) + tf.linalg.global_norm(gradients)
        step = tf.where(tf.math.is_finite(total), NEVER, self.step + 1)
        self.not_finite_at.assign(tf.minimum(self.not_finite_at, step))

    def _add_up(self, logits, batch, losses):
        """Adds to the sums, and keeps the batch for the figures that need a ranking."""
        labels, weights = batch["labels"], batch["example_weights"]
        probabilities = only_rated(tf.sigmoid(logits), batch.get("label_weights"))  # [B, C]
        best = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        hits = tf.cast(tf.gather(labels, best, axis=1, batch_dims=1), tf.float32) * weights
        self.sums.assign_add(tf.stack([tf.reduce_sum(losses), tf.reduce_sum(hits), tf.reduce_sum(weights)]))
        self.last_probabilities.assign(probabilities)
        self.last_labels.assign(labels)
        self.last_weights.assign(weights)

    def _seed_random_numbers(self):
        """Makes every random number of a step a function of (seed, step)."""
        for number, state in enumerate(self.seed_states):
            place = keras.ops.stack([self.config.seed * len(self.seed_states) + number, self.step * DRAWS_PER_STEP])
            state.assign(keras.ops.cast(place, state.dtype))


def _on_each_replica(value, dtype, aggregation) -> tf.Variable:
    """A variable that each replica keeps for itself, aggregated when the host reads it."""
    return tf.Variable(
        tf.constant(value, dtype),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=aggregation,
    )
