"""Accuracies under lesions: against a plain loop, and what the fast path computes only once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from elsewhere import PLACES
from hypothesis import given
from hypothesis import strategies as st
from networks import rng_of
from perceptrons import SIZES, images, lesioned, plain_accuracies, random_mlp, unit_layers

from modclust_utils.lesion_accuracies import lesion_accuracy
from modclust_utils.models import MLP


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


def test_many_images_and_sets_equal_a_plain_loop():
    """More of both than go through at once."""
    network = random_mlp(SIZES, 4)
    x, y = images(network, 1600, 5)
    last = np.flatnonzero(unit_layers(SIZES) == 3)
    sets = np.zeros((100, sum(SIZES)), bool)
    sets[:, last] = np.arange(100)[:, None] >> np.arange(len(last)) & 1
    found = lesion_accuracy(network, x, y, sets)
    assert_equals_plain(found, network, x, y, sets)
    assert len(found[0].unique()) > 30


@pytest.fixture
def products(monkeypatch):
    """The weights of all products up to the last hidden layer, as lesions are computed."""
    weights, real = [], torch.addmm

    def watch(start, weight, *others, **options):
        weights.append(weight)
        return real(start, weight, *others, **options)

    monkeypatch.setattr(torch, "addmm", watch)
    return weights


@pytest.mark.parametrize(("sparsity", "sparse"), [(0.9, True), (0.5, False)])
def test_sparse_products_change_no_answer(sparsity, sparse, products):
    network = random_mlp((30, 25, 25, 25, 5), 27, sparsity=sparsity)
    x, y = images(network, 70, 28)
    sets = drawn_sets(network.layer_sizes, 30, 29)
    found = lesion_accuracy(network, x, y, sets)
    is_sparse = torch.sparse_csr in {w.layout for w in products}
    assert is_sparse == (sparse and torch.backends.mkl.is_available())
    assert_equals_plain(found, network, x, y, sets)
    assert len(found[0].unique()) > 3


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


def test_units_on_no_path_or_always_silent_are_left_out(products):
    """Unit 0 leads to a logit; 1 leads nowhere; 2 gets nothing; 3 gets nothing but its bias."""
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    last = torch.tensor([[1.0, 0.0, 1.0, 1.0], [2.0, 0.0, 1.0, 1.0]])
    network = MLP([first, last], [torch.tensor([0.0, 1.0, -1.0, 0.5]), torch.zeros(2)])
    x, y = images(network, 20, 0)
    sets = np.arange(8) == [[9], [2], [3], [4], [5]]
    assert_equals_plain(lesion_accuracy(network, x, y, sets), network, x, y, sets)
    # pixel 0 leads to unit 0, whose weight is 1; pixel 1 has no weight, unit 3 its bias alone
    assert [w.to_dense().tolist() for w in products] == [[[1.0], [0.0]]]


def test_what_lesions_share_is_computed_once(products):
    """Thirty lesions of the last hidden layer need the products in front of it, once."""
    network = random_mlp(SIZES, 25)
    x, y = images(network, 30, 26)
    sets = np.zeros((30, sum(SIZES)), bool)
    sets[:, -11:-4] = np.arange(30)[:, None] >> np.arange(7) & 1
    found = lesion_accuracy(network, x, y, sets)
    # pixels to layer 1 to layer 2 to layer 3
    assert [tuple(w.shape) for w in products] == [(9, 6), (8, 9), (7, 8)]
    assert_equals_plain(found, network, x, y, sets)


@pytest.mark.parametrize(
    ("sizes", "columns"),
    [
        ([0], [8]),
        ([0, 7], [1, 8]),
        ([1], [7]),
        ([1, 1], [1, 1, 8]),  # not 7 and 7
        ([2, 3], [5, 6]),  # not 8, 2 and 3
        ([7] * 8, [1] * 8),
    ],
)
def test_a_product_is_shared_where_it_pays(sizes, columns, products):
    """Lesions of so many of 8 units: how many units of weights each product has."""
    network = random_mlp((3, 8, 5, 2), 3)
    x, y = images(network, 30, 4)
    sets = np.zeros((len(sizes), 18), bool)
    for index, (row, size) in enumerate(zip(sets, sizes, strict=True)):
        row[3:11] = np.roll(np.arange(8) < size, index)
    found = lesion_accuracy(network, x, y, sets)
    assert sorted(w.shape[1] for w in products if w.shape[0] == 5) == columns
    assert_equals_plain(found, network, x, y, sets)


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


@pytest.mark.parametrize(
    ("part", "message"),
    [(torch.nan, r"weights\[1\] of network holds NaN"), (1e308, "what network puts out holds NaN")],
)
def test_what_has_no_answer_counts_for_no_class(part, message):
    network = random_mlp(SIZES, 0)
    x, y = images(network, 5, 0)
    for weight in network.weights[1:]:
        weight[:] = part
    with pytest.raises(ValueError, match=message):
        lesion_accuracy(network, x, y, np.zeros((1, sum(SIZES)), bool))
    with pytest.raises(ValueError, match="what network puts out holds NaN or infinity"):
        network.accuracy(x, y)


def test_a_batch_of_networks_is_refused():
    network = random_mlp(SIZES, 0)
    batch = MLP([w[None] for w in network.weights], [b[None] for b in network.biases])
    x, y = images(network, 5, 0)
    with pytest.raises(ValueError, match=r"network has weights of shape \(1, 9, 6\)"):
        lesion_accuracy(batch, x, y, np.zeros((1, sum(SIZES)), bool))


@pytest.mark.parametrize("place", PLACES)
def test_lesions_on_another_device_stay_there_and_equal_those_on_the_cpu(place):
    network = random_mlp(SIZES, 50)
    x, y = images(network, 80, 51)
    sets = drawn_sets(SIZES, 30, 51)
    there = MLP(*([place(t) for t in part] for part in (network.weights, network.biases)))
    for found, expected in zip(
        lesion_accuracy(there, place(x), place(y), sets),
        lesion_accuracy(network, x, y, sets),
        strict=True,
    ):
        assert found.device.type == there.weights[0].device.type
        np.testing.assert_allclose(found.tolist(), expected.tolist(), rtol=0, atol=1e-12)
