"""Lesions: accuracies against a plain loop, random sets, the names of sub-clusters, edges."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import global_random_state_untouched, keep_largest, rng_of

from modclust_utils import lesion_accuracies, lesions
from modclust_utils.graphs import live_units
from modclust_utils.lesions import (
    KINDS,
    DependencyEdge,
    DoubleLesions,
    SingleLesions,
    dependency_edges,
    double_lesions,
    important_pairs,
    lesion_accuracy,
    lesion_kind,
    random_unit_sets,
    single_lesions,
    sub_clusters,
)
from modclust_utils.models import MLP

RARE = 0.001  # a check of uniformity fails for one seed in a thousand; the seeds here are fixed
SIZES = (6, 9, 8, 7, 4)


def random_mlp(sizes, seed, *, sparsity=0.0, dtype=torch.float64):
    rng = rng_of(seed)
    weights = [keep_largest(rng.normal(size=(b, a)), sparsity) for a, b in pairwise(sizes)]
    biases = [rng.normal(size=b, scale=0.3) for b in sizes[1:]]
    return MLP(
        [torch.tensor(w).to(dtype) for w in weights], [torch.tensor(b).to(dtype) for b in biases]
    )


def images(network, n, seed):
    """Inputs, and the network's own answers, except that one in three labels is random."""
    rng, sizes = rng_of(seed), network.layer_sizes
    x = torch.tensor(rng.normal(size=(n, sizes[0]))).to(network.weights[0].dtype)
    y = torch.tensor(rng.integers(sizes[-1], size=n))
    keep = torch.tensor(rng.random(n) < 1 / 3)
    return x, torch.where(keep, y, network.logits(x).argmax(1))


def unit_layers(sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


def all_live(sizes):
    return np.ones(sum(sizes), bool)


def lesioned(network, unit_set):
    """A copy of the network whose lesioned units get no input and no bias."""
    weights, biases = [w.clone() for w in network.weights], [b.clone() for b in network.biases]
    parts = np.split(unit_set, np.cumsum(network.layer_sizes)[:-1])
    for weight, bias, part in zip(weights, biases, parts[1:], strict=True):
        weight[torch.tensor(part)] = 0
        bias[torch.tensor(part)] = 0
    return MLP(weights, biases)


def plain_accuracies(network, x, y, unit_sets):
    """One network after the other, with the names of `lesion_accuracy`'s results."""
    overall, by_class = [], []
    for unit_set in unit_sets:
        cut = lesioned(network, unit_set)
        overall.append(float(cut.accuracy(x, y)))
        right = cut.logits(x).argmax(1) == y
        by_class.append(
            [float(right[y == c].double().mean()) for c in range(network.layer_sizes[-1])]
        )
    return np.array(overall), np.array(by_class)


def drawn_sets(sizes, n_sets, seed):
    """Sets of very different sizes in some of the hidden layers, some of them twice, one empty."""
    rng, layers = rng_of(seed), unit_layers(sizes)
    sets = np.zeros((n_sets, sum(sizes)), bool)
    for row in sets[1:]:
        for layer in range(1, len(sizes) - 1):
            if rng.random() < 0.5:
                row |= (layers == layer) & (rng.random(len(row)) < rng.choice([0.1, 0.3, 0.6, 1.0]))
    sets[n_sets // 2] = sets[-1]
    # lesions of one layer alone, and the same in an earlier layer under others in a later one
    sets[1:3, layers > 1] = False
    sets[2] = sets[1]
    return sets


def assert_equals_plain(found, network, x, y, sets):
    accuracies, by_class = found
    expected, expected_by_class = plain_accuracies(network, x, y, sets)
    # shares of whole numbers: anything but rounding in the last digit would be an image or more
    np.testing.assert_allclose(accuracies.numpy(), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(by_class.numpy(), expected_by_class, rtol=0, atol=1e-12)


# --- accuracies under lesions --------------------------------------------------------------------


@given(
    sizes=st.sampled_from([SIZES, (5, 12, 3), (4, 1, 6, 1, 2), (3, 20, 20, 20, 20, 5)]),
    sparsity=st.sampled_from([0.0, 0.5, 0.9]),
    n_images=st.integers(1, 60),
    n_sets=st.integers(3, 25),
    seed=st.integers(0, 2**32),
)
def test_lesions_equal_a_plain_loop_over_lesioned_networks(sizes, sparsity, n_images, n_sets, seed):
    network = random_mlp(sizes, seed, sparsity=sparsity)
    x, y = images(network, n_images, seed + 1)
    sets = drawn_sets(sizes, n_sets, seed + 2)
    accuracies, by_class = lesion_accuracy(network, x, y, sets)
    assert accuracies.dtype == by_class.dtype == torch.float64
    assert accuracies.shape == (n_sets,)
    assert by_class.shape == (n_sets, sizes[-1])
    assert_equals_plain((accuracies, by_class), network, x, y, sets)


def test_lesions_equal_a_plain_loop_in_single_precision():
    network = random_mlp((10, 40, 40, 40, 5), 1, dtype=torch.float32)
    x, y = images(network, 150, 2)
    sets = drawn_sets(network.layer_sizes, 40, 3)
    for unit_set in sets:
        top = lesioned(network, unit_set).logits(x).topk(2).values
        # a clear winner everywhere, so that rounding decides nothing
        assert (top[:, 0] - top[:, 1]).min() > 1e-5
    assert_equals_plain(lesion_accuracy(network, x, y, sets), network, x, y, sets)


@pytest.mark.parametrize(("chunk", "leaves"), [(1, 1), (7, 3), (1000, 2)])
def test_result_does_not_depend_on_what_goes_through_at_once(chunk, leaves, monkeypatch):
    network = random_mlp(SIZES, 4)
    x, y = images(network, 45, 5)
    sets = drawn_sets(SIZES, 30, 6)
    expected = lesion_accuracy(network, x, y, sets)
    monkeypatch.setitem(lesion_accuracies._CHUNK, "cpu", chunk)
    monkeypatch.setitem(lesion_accuracies._LEAVES_AT_ONCE, "cpu", leaves)
    for found, same in zip(lesion_accuracy(network, x, y, sets), expected, strict=True):
        assert torch.equal(found, same)


def test_sparse_products_change_no_answer(monkeypatch):
    network = random_mlp((30, 25, 25, 25, 5), 27, sparsity=0.9)
    x, y = images(network, 70, 28)
    sets = drawn_sets(network.layer_sizes, 30, 29)
    kept = lesion_accuracies._units_that_matter(network)
    is_sparse = {}
    found = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(lesion_accuracies, "_SPARSE", share)
        layers = lesion_accuracies._Layers(network, kept)
        is_sparse[share] = [w.layout == torch.sparse_csr for w in layers.incoming]
        found[share] = lesion_accuracy(network, x, y, sets)
        assert_equals_plain(found[share], network, x, y, sets)
    assert not any(is_sparse[0.0])
    if torch.backends.mkl.is_available():
        assert is_sparse[1.0] == [True, True, True, False]
    assert len(found[1.0][0].unique()) > 3


def test_sets_one_by_one_give_what_they_give_together():
    network = random_mlp(SIZES, 7)
    x, y = images(network, 50, 8)
    sets = drawn_sets(SIZES, 20, 9)
    together, by_class = lesion_accuracy(network, x, y, sets)
    assert len(together.unique()) > 5
    for index, unit_set in enumerate(sets):
        alone, own = lesion_accuracy(network, x, y, unit_set[None])
        assert alone[0] == together[index]
        assert torch.equal(own[0], by_class[index])


def test_a_lesion_of_no_units_changes_nothing():
    network = random_mlp(SIZES, 10)
    x, y = images(network, 64, 11)
    (accuracy,), by_class = lesion_accuracy(network, x, y, np.zeros((1, sum(SIZES)), bool))
    right = network.logits(x).argmax(1) == y
    assert accuracy == right.double().mean()
    assert accuracy == pytest.approx(float(network.accuracy(x, y)))
    for c in range(SIZES[-1]):
        assert by_class[0, c] == right[y == c].double().mean()


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_a_lesion_of_a_whole_layer_gives_a_constant_prediction(layer):
    network = random_mlp(SIZES, 12)
    x, y = images(network, 64, 13)
    _, by_class = lesion_accuracy(network, x, y, (unit_layers(SIZES) == layer)[None])
    assert sorted(by_class[0].tolist()) == [0.0, 0.0, 0.0, 1.0]
    hidden = torch.zeros(SIZES[layer], dtype=torch.float64)
    for depth in range(layer, len(network.weights)):
        hidden = network.weights[depth] @ hidden.relu() + network.biases[depth]
    assert by_class[0, hidden.argmax()] == 1.0


def test_equal_logits_count_for_the_first_class():
    """Without biases and without a hidden unit all logits are 0, as in a plain forward pass."""
    network = random_mlp(SIZES, 14)
    network = MLP(network.weights, [torch.zeros_like(b) for b in network.biases])
    x, y = images(network, 64, 15)
    sets = np.stack([unit_layers(SIZES) == layer for layer in (1, 2, 3)])
    _, by_class = lesion_accuracy(network, x, y, sets)
    assert by_class.tolist() == [[1.0, 0.0, 0.0, 0.0]] * 3


def test_a_class_without_images_has_no_accuracy():
    network = random_mlp(SIZES, 16)
    x, _ = images(network, 10, 17)
    y = torch.tensor([0, 1] * 5)
    accuracies, by_class = lesion_accuracy(network, x, y, np.zeros((2, sum(SIZES)), bool))
    assert by_class.isnan().tolist() == [[False, False, True, True]] * 2
    assert not accuracies.isnan().any()


def test_a_network_without_hidden_layer_has_only_the_empty_lesion():
    network = random_mlp((5, 3), 18)
    x, y = images(network, 40, 19)
    found = lesion_accuracy(network, x, y, np.zeros((2, 8), bool))
    assert_equals_plain(found, network, x, y, np.zeros((2, 8), bool))


def test_no_sets_give_no_accuracies():
    network = random_mlp(SIZES, 20)
    x, y = images(network, 10, 21)
    accuracies, by_class = lesion_accuracy(network, x, y, np.zeros((0, sum(SIZES)), bool))
    assert accuracies.shape == (0,)
    assert by_class.shape == (0, 4)


def test_tensors_are_sets_too_and_nothing_is_changed():
    network = random_mlp(SIZES, 22)
    x, y = images(network, 30, 23)
    sets = drawn_sets(SIZES, 12, 24)
    before = [t.clone() for t in (x, y, *network.weights, *network.biases)]
    for weight in network.weights:
        weight.requires_grad_()
    found = lesion_accuracy(network, x, y, torch.tensor(sets))
    assert not found[0].requires_grad
    assert torch.equal(found[0], lesion_accuracy(network, x, y, sets)[0])
    for now, then in zip((x, y, *network.weights, *network.biases), before, strict=True):
        assert torch.equal(now, then)


def test_units_on_no_path_or_always_silent_are_left_out():
    """Unit 0 leads to a logit; 1 leads nowhere; 2 gets nothing; 3 gets nothing but its bias."""
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    last = torch.tensor([[1.0, 0.0, 1.0, 1.0], [2.0, 0.0, 1.0, 1.0]])
    network = MLP([first, last], [torch.tensor([0.0, 1.0, -1.0, 0.5]), torch.zeros(2)])
    kept = lesion_accuracies._units_that_matter(network)
    # pixel 0 leads to unit 0; pixel 1 has no weight
    assert [k.tolist() for k in kept] == [[0], [0, 3]]


def test_what_lesions_share_is_computed_once(monkeypatch):
    """Thirty lesions of the last hidden layer need the two products in front of it, once."""
    network = random_mlp(SIZES, 25)
    x, y = images(network, 30, 26)
    sets = np.zeros((30, sum(SIZES)), bool)
    last = np.flatnonzero(unit_layers(SIZES) == 3)
    for index, row in enumerate(sets):
        row[last] = [bool(index >> bit & 1) for bit in range(len(last))]
    calls = []
    addmm = torch.addmm
    monkeypatch.setattr(torch, "addmm", lambda *a, **k: calls.append(1) or addmm(*a, **k))
    lesion_accuracy(network, x, y, sets)
    # pixels to layer 1 to layer 2 to layer 3
    assert len(calls) == 3
    assert lesion_accuracies._Tree([sets[:, last]], torch.device("cpu")).n_leaves == 30


@pytest.mark.parametrize(
    ("sizes", "pays"),
    [([0], True), ([0, 7], True), ([1], False), ([1, 1], True), ([2, 3], False), ([7] * 9, False)],
)
def test_a_product_is_shared_where_it_pays(sizes, pays):
    """Of 8 units: two lesions of 1 cost 8 + 1 + 1 columns together and 7 + 7 one by one."""
    assert lesion_accuracies._sharing_pays(sizes, 8) is pays


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit_sets": np.zeros((1, 33), bool)}, r"unit_sets has shape \(1, 33\) .*\(n_sets, 34\)"),
        ({"unit_sets": np.zeros(34, bool)}, r"unit_sets has shape \(34,\)"),
        ({"unit_sets": np.zeros((1, 34), int)}, "unit_sets has .* type int64; allowed: boolean"),
        ({"unit_sets": np.arange(34)[None] == 5}, "unit_sets has pixels or logits"),
        ({"unit_sets": np.arange(34)[None] == 30}, "unit_sets has pixels or logits"),
        ({"x": torch.zeros(9, 5).double()}, r"x has shape \(9, 5\); allowed: \(n, 6\)"),
        ({"x": torch.zeros(0, 6).double()}, r"x has shape \(0, 6\)"),
        ({"x": torch.zeros(9, 6)}, r"x is torch\.float32 on cpu; allowed: torch\.float64"),
        ({"y": torch.zeros(8).long()}, r"y has shape \(8,\)"),
        ({"y": torch.zeros(9)}, r"y has .* torch\.float32"),
        ({"y": torch.full((9,), 4)}, "y has labels from 4 to 4; allowed: 0 to 3"),
        ({"y": torch.full((9,), -1)}, "y has labels from -1"),
    ],
)
def test_lesion_accuracy_refuses_bad_input_by_name(changes, message):
    options = {
        "x": torch.zeros(9, 6).double(),
        "y": torch.zeros(9).long(),
        "unit_sets": np.zeros((1, 34), bool),
    } | changes
    with pytest.raises(ValueError, match=message):
        lesion_accuracy(random_mlp(SIZES, 0), **options)


def test_a_batch_of_networks_is_refused():
    network = random_mlp(SIZES, 0)
    batch = MLP([w[None] for w in network.weights], [b[None] for b in network.biases])
    x, y = images(network, 5, 0)
    with pytest.raises(ValueError, match=r"network has weights of shape \(1, 9, 6\)"):
        lesion_accuracy(batch, x, y, np.zeros((1, sum(SIZES)), bool))


# --- sets of units -------------------------------------------------------------------------------


def test_sub_clusters_are_clusters_by_hidden_layers():
    labels = np.array([0, 1, 2, 1, 1, 0, -1, 3, 0, 2, 3])
    sub = sub_clusters(labels, (2, 4, 3, 2))
    # pixels 0, 1 and logits 2, 3 are in no sub-cluster, and unit 6 is in no cluster
    assert sub.layer.tolist() == [1, 1, 1, 2, 2]
    assert sub.label.tolist() == [0, 1, 2, 0, 3]
    assert [np.flatnonzero(u).tolist() for u in sub.units] == [[5], [3, 4], [2], [8], [7]]
    assert sub.size.tolist() == [1, 2, 1, 1, 1]


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    data=st.data(),
)
def test_sub_clusters_part_the_clustered_hidden_units(sizes, data):
    labels = np.array(
        data.draw(st.lists(st.integers(-1, 3), min_size=sum(sizes), max_size=sum(sizes)))
    )
    sub, layers = sub_clusters(labels, sizes), unit_layers(sizes)
    hidden = (layers > 0) & (layers < len(sizes) - 1) & (labels >= 0)
    np.testing.assert_array_equal(sub.units.sum(0), hidden)
    np.testing.assert_array_equal(sub.units.sum(1), sub.size)
    assert (sub.size > 0).all()
    places = list(zip(sub.layer.tolist(), sub.label.tolist(), strict=True))
    assert places == sorted(set(places))
    for units, layer, label in zip(sub.units, sub.layer, sub.label, strict=True):
        assert set(layers[units]) == {layer}
        assert set(labels[units]) == {label}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(10, int), r"labels has shape \(10,\); allowed: \(11,\)"),
        (np.zeros(11), "labels has entries that are no cluster"),
        (np.full(11, -2), "labels has entries that are no cluster"),
    ],
)
def test_sub_clusters_refuse_bad_labels_by_name(labels, message):
    with pytest.raises(ValueError, match=message):
        sub_clusters(labels, (2, 4, 3, 2))


@given(data=st.data(), n_sets=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_random_sets_keep_size_and_layer_and_take_live_units(data, n_sets, seed):
    sizes = (3, 6, 5, 2)
    flags = st.lists(st.booleans(), min_size=16, max_size=16)
    live = np.array(data.draw(flags))
    unit_set = np.array(data.draw(flags)) & live
    found = random_unit_sets(unit_set, live, sizes, n_sets, rng=rng_of(seed))
    assert found.shape == (n_sets, 16)
    assert found.dtype == bool
    assert not (found & ~live).any()
    for layer in range(4):
        here = unit_layers(sizes) == layer
        assert (found[:, here].sum(1) == unit_set[here].sum()).all()


def test_every_random_set_is_equally_likely():
    """Two of four live units in layer 1, and apart from that one of two in layer 2: 12 sets."""
    sizes, live = (1, 5, 3, 1), np.array([1, 1, 1, 0, 1, 1, 1, 1, 0, 1], bool)
    unit_set = np.isin(np.arange(10), [1, 2, 6])
    found = random_unit_sets(unit_set, live, sizes, 2400, rng=rng_of(0))
    sets, counts = np.unique(found, axis=0, return_counts=True)
    assert len(sets) == 12
    assert scipy.stats.chisquare(counts).pvalue > RARE


def test_random_sets_come_from_the_generator_alone():
    unit_set = unit_layers(SIZES) == 2
    unit_set[np.flatnonzero(unit_set)[4:]] = False
    with global_random_state_untouched():
        first = random_unit_sets(unit_set, all_live(SIZES), SIZES, 5, rng=rng_of(0))
    again = random_unit_sets(unit_set, all_live(SIZES), SIZES, 5, rng=rng_of(0))
    other = random_unit_sets(unit_set, all_live(SIZES), SIZES, 5, rng=rng_of(1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first[0] != first[1]).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit_set": np.ones(33, bool)}, r"unit_set has shape \(33,\)"),
        ({"unit_set": np.ones(34, int)}, "unit_set has .* type int64"),
        ({"live": np.ones((1, 34), bool)}, r"live has shape \(1, 34\)"),
        ({"live": np.arange(34) != 7}, "unit_set has 9 units in layer 1; allowed: at most 8"),
        ({"n_sets": 0}, "n_sets=0 is not allowed: a whole number of 1 or more"),
        ({"n_sets": 2.5}, r"n_sets=2\.5 is not allowed"),
        ({"n_sets": True}, "n_sets=True is not allowed"),
    ],
)
def test_random_sets_refuse_bad_input_by_name(changes, message):
    options = {
        "unit_set": unit_layers(SIZES) == 1,
        "live": all_live(SIZES),
        "layer_sizes": SIZES,
        "n_sets": 2,
    } | changes
    with pytest.raises(ValueError, match=message):
        random_unit_sets(**options, rng=rng_of(0))


# --- single lesions ------------------------------------------------------------------------------


def study(seed, n_images=80, sparsity=0.0):
    """A network, images, three clusters that every layer holds a part of, and the live units."""
    network = random_mlp(SIZES, seed, sparsity=sparsity)
    x, y = images(network, n_images, seed + 1)
    labels = np.arange(sum(SIZES)) % 4 - 1
    live = np.concatenate([np.asarray(part) for part in live_units(network.weights)])
    labels[~live] = -1
    return network, x, y, labels, live


def test_single_lesions_are_what_they_say_step_by_step():
    network, x, y, labels, live = study(30, sparsity=0.8)
    assert not live.all()
    found = single_lesions(network, x, y, labels, live, n_random=11, rng=rng_of(0))
    sub, rng = sub_clusters(labels, SIZES), rng_of(0)
    np.testing.assert_array_equal(found.sub.units, sub.units)
    none = np.zeros((1, sum(SIZES)), bool)
    (accuracy,), (by_class,) = plain_accuracies(network, x, y, none)
    assert found.accuracy == pytest.approx(accuracy)
    np.testing.assert_allclose(found.class_accuracies, by_class)
    ties = 0
    for i, units in enumerate(sub.units):
        (alone,), (own,) = plain_accuracies(network, x, y, units[None])
        assert found.drop[i] == pytest.approx(accuracy - alone, abs=1e-6)
        np.testing.assert_allclose(found.class_drops[i], by_class - own, atol=1e-12)
        sets = random_unit_sets(units, live, SIZES, 11, rng=rng)
        null = accuracy - plain_accuracies(network, x, y, sets)[0]
        np.testing.assert_allclose(found.null_drops[i], null, atol=1e-6)
        # a tie counts against the sub-cluster
        r = np.sum(null > accuracy - alone - 1e-6)
        ties += int(np.sum(np.abs(null - (accuracy - alone)) < 1e-6))
        assert found.p_value[i] == (r + 1) / 12
        here = unit_layers(SIZES) == sub.layer[i]
        assert found.proportion[i] == sub.size[i] / (live & here).sum()
        assert found.kind[i] == lesion_kind(
            int(sub.size[i]), int(here.sum()), significant=r == 0, drop=found.drop[i]
        )
    assert ties > 0
    assert len(set(found.p_value)) > 2


def test_single_lesions_come_from_the_generator_alone():
    arguments = study(31)
    with global_random_state_untouched():
        first = single_lesions(*arguments, n_random=6, rng=rng_of(0))
    again = single_lesions(*arguments, n_random=6, rng=rng_of(0))
    other = single_lesions(*arguments, n_random=6, rng=rng_of(1))
    np.testing.assert_array_equal(first.null_drops, again.null_drops)
    np.testing.assert_array_equal(first.drop, other.drop)
    assert (first.null_drops != other.null_drops).any()


def test_one_sub_cluster_alone_carries_a_class():
    """One unit a class, in two layers: without unit 2 of a layer class 2 is lost, and it alone."""
    eye = torch.eye(4)
    network = MLP([eye, eye, eye], [torch.zeros(4)] * 3)
    x, y = eye.repeat(5, 1), torch.arange(4).repeat(5)
    labels = np.tile([0, 0, 1, 0], 4)
    found = single_lesions(network, x, y, labels, all_live((4,) * 4), n_random=3, rng=rng_of(0))
    assert found.accuracy == 1.0
    assert found.class_accuracies.tolist() == [1.0] * 4
    assert found.sub.label.tolist() == [0, 1, 0, 1]
    # all logits 0 count for class 0, so that one is never lost
    assert found.drop.tolist() == [0.5, 0.25, 0.5, 0.25]
    assert found.class_drops.tolist() == [[0, 1, 0, 1], [0, 0, 1, 0]] * 2
    assert found.proportion.tolist() == [0.75, 0.25, 0.75, 0.25]


def test_a_drop_of_exactly_one_point_is_not_above_it():
    """1 - 0.99 is above 0.01 in floating point; one image of a hundred is not above one point."""
    assert 1 - 0.99 > 0.01
    network = MLP([torch.eye(2), torch.eye(2)], [torch.zeros(2)] * 2)
    labels = np.array([-1, -1, -1, 0, -1, -1])
    for n_lost, kind in ((1, "other"), (2, "diff-but-not-sig")):
        y = (torch.arange(100) < n_lost).long()
        x = torch.eye(2)[y]
        live = np.array([1, 1, 0, 1, 1, 1], bool)  # the random sets are the sub-cluster itself
        found = single_lesions(network, x, y, labels, live, n_random=4, rng=rng_of(0))
        assert found.drop.tolist() == [n_lost / 100]
        assert found.p_value.tolist() == [1.0]
        assert found.kind == (kind,)


@pytest.mark.parametrize(
    ("size", "n_layer", "significant", "drop", "kind"),
    [
        (12, 256, True, 0.5, "small"),
        (12, 256, False, 0.0, "small"),
        (13, 256, True, 0.5, "important"),
        (13, 256, True, 0.0101, "important"),
        (13, 256, True, 0.01, "sig-but-not-diff"),
        (13, 256, True, -0.2, "sig-but-not-diff"),
        (13, 256, False, 0.01, "other"),
        (13, 256, False, 0.0101, "diff-but-not-sig"),
        (5, 100, True, 0.5, "important"),  # exactly 5 % is not below it
        (4, 100, True, 0.5, "small"),
    ],
)
def test_kinds_at_their_boundaries(size, n_layer, significant, drop, kind):
    assert lesion_kind(size, n_layer, significant=significant, drop=drop) == kind
    assert kind in KINDS


def test_only_the_smallest_p_value_counts():
    """Ten random sets: below all of them is significant, a tie with one of them is not."""
    null = np.array([[0.1] * 9 + [0.2]] * 3)
    p = lesions._p_values(np.array([0.3, 0.2, 0.15]), null)
    assert p.tolist() == [1 / 11, 2 / 11, 2 / 11]
    assert lesions._significant(p, 10).tolist() == [True, False, False]


def test_a_clustering_without_hidden_units_has_no_lesions():
    network, x, y, _, live = study(32)
    labels = np.full(sum(SIZES), -1)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    assert single.drop.shape == (0,)
    assert single.null_drops.shape == (0, 2)
    assert single.kind == ()
    double = double_lesions(network, x, y, single, live, n_random=2, rng=rng_of(0))
    assert double.pairs.shape == (0, 2)
    assert dependency_edges(single, double) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.zeros(3, int)}, r"labels has shape \(3,\)"),
        ({"live": np.zeros(3, bool)}, r"live has shape \(3,\)"),
        ({"live": np.zeros(34, bool)}, "unit_set has .* units in layer 1; allowed: at most 0"),
        ({"n_random": 0}, "n_random=0 is not allowed"),
        ({"n_random": 1.0}, r"n_random=1\.0 is not allowed"),
    ],
)
def test_single_lesions_refuse_bad_input_by_name(changes, message):
    network, x, y, labels, live = study(33)
    options = {"labels": labels, "live": live, "n_random": 2} | changes
    with pytest.raises(ValueError, match=message):
        single_lesions(network, x, y, **options, rng=rng_of(0))


# --- double lesions ------------------------------------------------------------------------------


def test_double_lesions_are_what_they_say_step_by_step():
    network, x, y, labels, live = study(40, n_images=60)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    found = double_lesions(network, x, y, single, live, n_random=2, rng=rng_of(3))
    sub, rng = single.sub, rng_of(3)
    drawn = [random_unit_sets(units, live, SIZES, 2, rng=rng) for units in sub.units]
    m = len(sub.size)
    expected = [[i, j] for i in range(m) for j in range(m) if sub.layer[i] < sub.layer[j]]
    assert found.pairs.tolist() == expected

    def lost(units):
        sets = np.atleast_2d(units)
        return single.accuracy - plain_accuracies(network, x, y, sets)[0]

    for row, (i, j) in enumerate(expected):
        one, two = sub.units[i], sub.units[j]
        (both,), (only_one,), (only_two,) = lost(one | two), lost(one), lost(two)
        assert found.drop_both[row] == pytest.approx(both, abs=1e-6)
        assert found.delta_first[row] == pytest.approx(both - only_two, abs=1e-6)
        assert found.delta_second[row] == pytest.approx(both - only_one, abs=1e-6)
        r_first = np.sum(lost(drawn[i] | two) > both - 1e-6)
        r_second = np.sum(lost(one | drawn[j]) > both - 1e-6)
        assert found.p_first[row] == (r_first + 1) / 3
        assert found.p_second[row] == (r_second + 1) / 3
        assert found.first_important[row] == (r_first == 0 and both - only_two > 0.0101)
        assert found.second_important[row] == (r_second == 0 and both - only_one > 0.0101)
    assert set(found.p_first) == {1 / 3, 2 / 3, 1.0}
    assert (found.p_first != found.p_second).any()
    assert (found.first_important != found.second_important).any()


def test_some_pairs_are_those_of_all_pairs():
    network, x, y, labels, live = study(41)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    options = {"n_random": 4}
    everything = double_lesions(network, x, y, single, live, rng=rng_of(5), **options)
    chosen = [7, 2]
    with global_random_state_untouched():
        some = double_lesions(
            network, x, y, single, live, pairs=everything.pairs[chosen], rng=rng_of(5), **options
        )
    for field in dataclasses.fields(DoubleLesions):
        np.testing.assert_array_equal(
            getattr(some, field.name), getattr(everything, field.name)[chosen]
        )
    other = double_lesions(network, x, y, single, live, rng=rng_of(6), **options)
    np.testing.assert_array_equal(other.drop_both, everything.drop_both)
    assert (other.p_first != everything.p_first).any()


def test_no_pairs_give_an_empty_table():
    network, x, y, labels, live = study(42)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    none = np.zeros((0, 2), int)
    found = double_lesions(network, x, y, single, live, pairs=none, rng=rng_of(0))
    assert found.pairs.shape == (0, 2)
    assert found.drop_both.shape == found.p_first.shape == found.first_important.shape == (0,)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 1]], r"pairs has \[0, 1\], whose first is not in an earlier layer"),
        ([[0, 8], [8, 0]], r"pairs has \[8, 0\], whose first is not in an earlier layer"),
        ([[0, 9]], "pairs has indices from 0 to 9; allowed: 0 to 8"),
        ([[-1, 3]], "pairs has indices from -1"),
        ([[0.0, 3.0]], "pairs is of type float64"),
        ([0, 3], r"pairs has shape \(2,\); allowed: \(P, 2\)"),
        ([], r"pairs has shape \(0,\); allowed: \(P, 2\)"),
    ],
)
def test_double_lesions_refuse_other_pairs_by_name(pairs, message):
    network, x, y, labels, live = study(43)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    assert len(single.drop) == 9
    with pytest.raises(ValueError, match=message):
        double_lesions(network, x, y, single, live, pairs=pairs, rng=rng_of(0))


def test_double_lesions_refuse_sub_clusters_of_another_network():
    network, x, y, labels, live = study(43)
    single = single_lesions(network, x, y, labels, live, n_random=2, rng=rng_of(0))
    other = random_mlp((6, 5, 5, 4), 0)
    with pytest.raises(ValueError, match="single has sub-clusters of 34 units; allowed: 20"):
        double_lesions(other, x, y, single, np.ones(20, bool), rng=rng_of(0))


# --- the dependency graph ------------------------------------------------------------------------


def classes_through_two_layers():
    """Classes 1, 2, 3 each go through one unit of either layer, among 196 that do nothing.

    In layer 1, cluster 0 holds the units of classes 1 and 2, cluster 3 that of class 3; in layer 2
    clusters 1, 2, 3 hold one each. Every sub-cluster has 20 units. Where nothing is left of an
    image, class 0 is chosen, which therefore cannot be lost. Random sets are drawn from the units
    that do nothing, so that all damage is significant.
    """
    sizes = (4, 200, 200, 4)
    first, middle, last = torch.zeros(200, 4), torch.zeros(200, 200), torch.zeros(4, 200)
    first[:4], middle[:4, :4], last[:, :4] = torch.eye(4), torch.eye(4), torch.eye(4)
    network = MLP([first, middle, last], [torch.zeros(200), torch.zeros(200), torch.zeros(4)])
    labels, layers = np.full(sum(sizes), -1), unit_layers(sizes)
    for layer, members in ((1, {0: [1, 2], 3: [3]}), (2, {1: [1], 2: [2], 3: [3]})):
        here = np.flatnonzero(layers == layer)
        idle = iter(here[4:])
        for label, units in members.items():
            labels[here[units]] = label
            labels[[next(idle) for _ in range(20 - len(units))]] = label
    live = np.ones(sum(sizes), bool)
    for layer in (1, 2):
        live[np.flatnonzero(layers == layer)[:4]] = False
    y = torch.arange(4).repeat(3)
    return network, torch.eye(4)[y], y, labels, live


def test_dependencies_of_a_network_made_by_hand():
    network, x, y, labels, live = classes_through_two_layers()
    single = single_lesions(network, x, y, labels, live, n_random=4, rng=rng_of(0))
    places = list(zip(single.sub.layer.tolist(), single.sub.label.tolist(), strict=True))
    assert places == [(1, 0), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert single.drop.tolist() == [0.5, 0.25, 0.25, 0.25, 0.25]
    assert single.kind == ("important",) * 5

    double = double_lesions(network, x, y, single, live, n_random=4, rng=rng_of(0))
    assert double.pairs.tolist() == important_pairs(single).tolist()
    assert double.pairs.tolist() == [[0, 2], [0, 3], [0, 4], [1, 2], [1, 3], [1, 4]]
    assert double.drop_both.tolist() == [0.5, 0.5, 0.75, 0.5, 0.5, 0.25]
    # without class 1 in layer 2, cluster 0 of layer 1 still carries class 2
    assert double.delta_first.tolist() == [0.25, 0.25, 0.5, 0.25, 0.25, 0.0]
    assert double.delta_second.tolist() == [0.0, 0.0, 0.25, 0.25, 0.25, 0.0]
    assert double.first_important.tolist() == [True, True, True, True, True, False]
    assert double.second_important.tolist() == [False, False, True, True, True, False]
    assert dependency_edges(single, double) == [
        DependencyEdge(0, 2, True, False),
        DependencyEdge(0, 3, True, False),
        DependencyEdge(1, 4, False, False),
    ]


def table(kinds, important):
    """Results with nothing in them but what decides the edges; the pairs are (0, 1), (2, 3), ..."""
    m, p = len(kinds), len(important)
    sub = sub_clusters(np.array([0, *[0] * m, 0]), (1, *[1] * m, 1))
    one = np.zeros(m)
    single = SingleLesions(
        sub=sub,
        accuracy=1.0,
        class_accuracies=np.ones(1),
        drop=one,
        class_drops=one[:, None],
        null_drops=one[:, None],
        p_value=one,
        proportion=one,
        kind=tuple(kinds),
    )
    none = np.zeros(p)
    double = DoubleLesions(
        pairs=np.arange(2 * p).reshape(p, 2),
        drop_both=none,
        delta_first=none,
        delta_second=none,
        p_first=none,
        p_second=none,
        first_important=np.array([first for first, _ in important]),
        second_important=np.array([second for _, second in important]),
    )
    return single, double


def test_edges_are_drawn_where_not_both_are_important_given_the_other():
    important = [(True, True), (True, False), (False, True), (False, False)]
    single, double = table(["important"] * 8, important)
    assert dependency_edges(single, double) == [
        DependencyEdge(2, 3, True, False),
        DependencyEdge(4, 5, False, True),
        DependencyEdge(6, 7, False, False),
    ]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "important"])
def test_edges_join_sub_clusters_that_are_important_alone(kind):
    single, double = table(["important", kind, kind, "important"], [(False, False)] * 2)
    assert dependency_edges(single, double) == []
    # all four are in different layers
    assert important_pairs(single).tolist() == [[0, 3]]


def test_important_pairs_lie_in_different_layers_the_earlier_first():
    labels = np.array([0, 0, 1, 2, 0, 1, 0])
    network = random_mlp((1, 3, 2, 1), 0)
    x, y = images(network, 4, 0)
    single = single_lesions(
        network, x, y, labels, all_live((1, 3, 2, 1)), n_random=1, rng=rng_of(0)
    )
    kinds = ("important", "small", "important", "other", "important")
    single = dataclasses.replace(single, kind=kinds)
    assert important_pairs(single).tolist() == [[0, 4], [2, 4]]


# --- on a GPU ------------------------------------------------------------------------------------

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@GPU
def test_lesions_on_a_gpu_stay_there_and_equal_those_on_the_cpu():
    network, x, y, labels, live = study(50)
    sets = drawn_sets(SIZES, 30, 51)
    there = network.to("cuda"), x.to("cuda"), y.to("cuda")
    for found, expected in zip(
        lesion_accuracy(*there, sets), lesion_accuracy(network, x, y, sets), strict=True
    ):
        assert found.device.type == "cuda"
        torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-12, equal_nan=True)
    single = single_lesions(*there, labels, live, n_random=5, rng=rng_of(0))
    same = single_lesions(network, x, y, labels, live, n_random=5, rng=rng_of(0))
    np.testing.assert_array_equal(single.null_drops, same.null_drops)
    double = double_lesions(*there, single, live, n_random=3, rng=rng_of(1))
    expected = double_lesions(network, x, y, same, live, n_random=3, rng=rng_of(1))
    np.testing.assert_array_equal(double.drop_both, expected.drop_both)
    np.testing.assert_array_equal(double.p_first, expected.p_first)
