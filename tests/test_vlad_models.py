"""The models that assign frames to clusters, against their formulas in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from models import (
    GatedDbofModel,
    MixNextVladModel,
    NetFvModel,
    NetRvladModel,
    NetVladModel,
    NextVladModel,
    SoftDbofModel,
)
from models.late_fusion import sizes_by_feature
from models.next_vlad import NextVlad
from models.vlad import normalize_clusters
from tests.model_oracles import FRAMES, NUM_FRAMES, batch_norm, context_gates, inputs, make, sigmoid, summaries, weights
from yt8m_audio.errors import UserError

VLAD = {"netvlad_cluster_size": 4, "netvlad_hidden_size": 6}
FISHER = {"fv_cluster_size": 4, "fv_hidden_size": 6}
BAG = {"dbof_cluster_size": 16, "dbof_hidden_size": 6}
NEXT = {
    "nextvlad_cluster_size": 4,
    "nextvlad_hidden_size": 6,
    "nextvlad_groups": 2,
    "gating_reduction": 2,
    "dropout": 0.0,
}
MIX = {**NEXT, "mix_number": 3, "mix_temperature": 3.0, "mix_distillation": 2.5, "l2_penalty": 0.0}


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def normalized_dense(layer, values):
    return batch_norm(layer, values @ weights(layer)[0])


def assigned(layer, clip):
    """Shares [T, K] of a clip's frames [T, D]."""
    return softmax(normalized_dense(layer.assign.activations, clip))


def weight(variable):
    return np.array(variable, "float64")


def net_vlad(layer, clip):
    shares, centres = assigned(layer, clip), weight(layer.centres)
    return unit(unit(np.einsum("tk,tkd->kd", shares, clip[:, None] - centres)).ravel())


def net_rvlad(layer, clip):
    return unit(unit(assigned(layer, clip).T @ clip).ravel())


def net_fv(layer, clip):
    deviations = weight(layer.roots) ** 2 + 1e-6
    z = (clip[:, None] - weight(layer.centres)) / deviations  # [T, K, D]
    moments = [np.einsum("tk,tkd->kd", assigned(layer, clip), each) for each in (z, z**2 - 1)]
    return np.concatenate([unit(unit(each).ravel()) for each in moments])


def soft_dbof(layer, clip):
    return unit(assigned(layer, clip).sum(0))


def gated_dbof(layer, clip):
    shares = assigned(layer, clip)
    gates = normalized_dense(layer.gates, unit(shares.max(0)) @ weights(layer.squeeze)[0])
    return unit(shares.sum(0) * sigmoid(gates))


def next_vlad(layer, clip):
    kernel, bias = weights(layer.expand)
    expanded = clip @ kernel + bias  # [T, E]
    kernel, bias = weights(layer.attention)
    attention = sigmoid(expanded @ kernel + bias)  # [T, G]
    activations = normalized_dense(layer.activations, expanded)
    centres = weight(layer.centres)  # [K, E / G]
    total = np.zeros_like(centres)
    for frame in range(len(clip)):
        groups = np.split(expanded[frame], layer.groups)
        of_groups = np.split(activations[frame], layer.groups)
        for group, of_group, much in zip(groups, of_groups, attention[frame], strict=True):
            total += much * softmax(of_group)[:, None] * (group - centres)
    return unit(total).ravel()


EVERY = [
    (NetVladModel, VLAD, net_vlad),
    (NetRvladModel, VLAD, net_rvlad),
    (NetFvModel, FISHER, net_fv),
    (SoftDbofModel, BAG, soft_dbof),
    (GatedDbofModel, BAG, gated_dbof),
    (NextVladModel, NEXT, next_vlad),
]
every_model = pytest.mark.parametrize(("cls", "hyper_parameters", "aggregate"), EVERY)


def aggregated(model, aggregate):
    """What a model's features are aggregated to, beside each other."""
    features = np.split(FRAMES, np.cumsum(model.feature_sizes)[:-1], axis=-1)
    return np.stack(
        [
            np.concatenate(
                [
                    aggregate(layer, feature[clip, :count])
                    for layer, feature in zip(model.aggregations, features, strict=True)
                ]
            )
            for clip, count in enumerate(NUM_FRAMES)
        ]
    )


def hidden_layer(model, vectors):
    return batch_norm(model.hidden_norm, vectors @ weights(model.hidden)[0])


@pytest.mark.parametrize("feature_sizes", [(5,), (3, 2), (2, 3)])
@every_model
def test_aggregation_of_each_feature(cls, hyper_parameters, aggregate, feature_sizes):
    model = make(cls, feature_sizes=feature_sizes, **hyper_parameters)
    mask = np.arange(4) < NUM_FRAMES[:, None]
    layers = zip(
        model.aggregations, np.split(FRAMES * mask[:, :, None], np.cumsum(feature_sizes)[:-1], -1), strict=True
    )
    found = [layer(tf.constant(feature, tf.float32), mask=tf.constant(mask)) for layer, feature in layers]
    np.testing.assert_allclose(np.concatenate(found, axis=-1), aggregated(model, aggregate), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("gating", [True, False])
@pytest.mark.parametrize(("cls", "hyper_parameters", "aggregate"), EVERY[:-1])
def test_hidden_layer(cls, hyper_parameters, aggregate, gating):
    model = make(cls, feature_sizes=(3, 2), gating=gating, **hyper_parameters)
    model.hidden_norm.beta.assign([-9.0, -1.0, 0.0, 1.0, 3.0, 9.0])  # so that some are beyond 0 and 6
    hidden = hidden_layer(model, aggregated(model, aggregate))
    assert hidden.min() < 0
    assert hidden.max() > 6
    hidden = np.clip(hidden, 0, 6)
    expected = hidden * context_gates(model.gate, hidden) if gating else hidden
    np.testing.assert_allclose(summaries(model), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("gating", [True, False])
def test_hidden_layer_of_next_vlad(gating):
    model = make(NextVladModel, feature_sizes=(3, 2), gating=gating, **NEXT)
    hidden = hidden_layer(model, batch_norm(model.describe_norm, aggregated(model, next_vlad)))
    expected = hidden
    if gating:
        (squeeze,), (gates, bias) = weights(model.gate.squeeze), weights(model.gate.gates)
        squeezed = np.maximum(batch_norm(model.gate.squeeze_norm, hidden @ squeeze), 0)
        assert squeezed.shape == (3, 3)
        expected = hidden * sigmoid(squeezed @ gates + bias)
    np.testing.assert_allclose(summaries(model), expected, rtol=1e-3, atol=1e-4)


@every_model
def test_a_clip_without_frames_is_aggregated_to_zeros(cls, hyper_parameters, aggregate):
    model = make(cls, **hyper_parameters)
    found = model.aggregations[0](tf.zeros([2, 4, 5]), mask=tf.fill([2, 4], False))
    np.testing.assert_array_equal(found, np.zeros(found.shape))


@pytest.mark.parametrize(
    ("feature_sizes", "share", "expected"),
    [
        ((1024, 128), 2, [256, 128]),
        ((128, 1024), 2, [128, 256]),
        ((1024, 128), 8, [256, 32]),
        ((128,), 8, [256]),
        ((64, 64, 2), 2, [256, 256, 128]),
        ((4, 2), 999, [256, 1]),
    ],
)
def test_sizes_by_feature(feature_sizes, share, expected):
    assert sizes_by_feature(feature_sizes, 256, share) == expected


def test_clusters_are_normalized_each_and_all_together():
    vectors = tf.constant([[[3.0, 4.0], [0.0, 0.0], [0.0, -50.0], [0.1, 0.0]]])
    expected = np.array([[0.6, 0.8, 0.0, 0.0, 0.0, -1.0, 1.0, 0.0]]) / np.sqrt(3)
    np.testing.assert_allclose(normalize_clusters(vectors), expected, rtol=1e-6)


def parts(model, clips, training=False):
    """The logits [B, M, C] of the NeXtVLADs of a mixture."""
    mask = np.arange(4) < clips["num_frames"].numpy()[:, None]
    frames = FRAMES.astype("float32") * mask[:, :, None]
    inner = {"features": tf.constant(frames), "num_frames": clips["num_frames"]}
    first = NextVladModel.classify(model, tf.constant(frames), tf.constant(mask), training)
    return np.stack([first, *(other(inner, training=training) for other in model.others)], axis=1)


def test_mixture_of_next_vlads():
    model, clips = make(MixNextVladModel, **MIX), inputs()
    means = np.stack([clip[:count].mean(0) for clip, count in zip(FRAMES, NUM_FRAMES, strict=True)])
    gates = softmax(batch_norm(model.mean_norm, means) @ weights(model.mix)[0])  # [B, M]
    each = parts(model, clips)
    assert each.shape == (3, 3, 3)
    assert np.abs(each[:, 0] - each[:, 1]).max() > 1e-3
    np.testing.assert_allclose(model(clips), np.einsum("bm,bmc->bc", gates, each), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("num_frames", [[4, 1, 3], [4, 0, 3]])
def test_next_vlads_are_distilled_from_their_mixture(num_frames):
    model, clips = make(MixNextVladModel, **MIX), inputs(num_frames=np.array(num_frames, "int32"))
    mixture = model(clips, training=True).numpy()
    p, q = softmax(mixture / 3)[:, None], softmax(parts(model, clips, training=True) / 3)
    divergences = (p * np.log(p / q)).sum((1, 2))[clips["num_frames"] > 0]
    model(clips, training=True)
    np.testing.assert_allclose(sum(model.losses), 2.5 * divergences.mean(), rtol=1e-3)


def test_nothing_is_distilled_in_inference():
    model = make(MixNextVladModel, **MIX)
    model(inputs(), training=True)
    assert float(sum(model.losses)) > 1e-3
    model(inputs(), training=False)
    assert float(sum(model.losses)) == 0


def test_nothing_is_distilled_from_clips_without_frames():
    model = make(MixNextVladModel, **MIX)
    model(inputs(num_frames=np.zeros(3, "int32")), training=True)
    assert float(sum(model.losses)) == 0


@pytest.mark.parametrize(
    ("cls", "wrong", "message"),
    [
        (NextVladModel, {"dropout": 1.0}, r"--dropout=1 must be in \[0, 1\)"),
        (MixNextVladModel, {"mix_number": 1}, "--mix_number=1 must be at least 2"),
        (MixNextVladModel, {"mix_temperature": 0.0}, "--mix_temperature=0.0 must be above 0"),
        (MixNextVladModel, {"mix_distillation": -1.0}, "--mix_distillation=-1.0 must be 0 or more"),
    ],
)
def test_wrong_hyper_parameters(cls, wrong, message):
    with pytest.raises(UserError, match=message):
        cls(num_classes=3, feature_sizes=(5,), **{**NEXT, **wrong})


@pytest.mark.parametrize(("size", "asked", "groups"), [(8, 4, 4), (10, 4, 2), (13, 8, 1)])
def test_no_more_groups_than_share_a_feature_evenly(size, asked, groups):
    layer = NextVlad(size, clusters=3, groups=asked)
    assert (layer.groups, layer.group_size) == (groups, size // groups)
