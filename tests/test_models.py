"""Networks, one or many of one shape: against torch's modules and by hand; devices and seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import global_random_state_untouched, rng_of
from perceptrons import as_module

from modclust_utils.models import MLP, derived_seed, glorot_mlp, resolve_device


def test_logits_and_accuracy_of_a_network_by_hand():
    # hidden: relu(x0 - x1), relu(2 x1 - 1); logits: h0 + 3 and h1
    network = MLP(
        [torch.tensor([[1.0, -1.0], [0.0, 2.0]]), torch.eye(2)],
        [torch.tensor([0.0, -1.0]), torch.tensor([3.0, 0.0])],
    )
    x = torch.tensor([[2.0, 1.0], [0.0, 4.0], [5.0, 0.0]])
    expected = torch.tensor([[4.0, 1.0], [3.0, 7.0], [8.0, 0.0]])
    assert torch.equal(network.logits(x), expected)
    assert network.layer_sizes == (2, 2, 2)
    labels = torch.tensor([0, 1, 1])
    assert network.accuracy(x, labels).item() == pytest.approx(2 / 3)
    assert network.accuracy(x, labels, chunk_size=2).item() == pytest.approx(2 / 3)


def test_a_network_of_whole_numbers_takes_images_as_they_are():
    identity = [[1, 0], [0, 1]]
    x = [[0.5, 0.25], [0.25, 0.75]]
    assert MLP([identity] * 2, [[0, 0]] * 2).logits(x).tolist() == x
    # the widest precision of all parts, so that nothing is rounded
    mixed = MLP([identity, torch.eye(2)], [torch.zeros(2), torch.zeros(2).double()])
    assert {part.dtype for part in mixed.weights + mixed.biases} == {torch.float64}


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(3, 2), (2, 4)], r"weights\[1\] has shape \(2, 4\); allowed: \(n_out, 3\)"),
        ([(5, 3, 2), (2, 3)], r"weights\[1\] has shape \(2, 3\); allowed: \(5, n_out, 3\)"),
        ([(5, 3, 2), (4, 2, 3)], r"weights\[1\] has shape \(4, 2, 3\); allowed: \(5, n_out, 3\)"),
        ([(3,)], r"weights\[0\] has shape \(3,\); allowed: \(n_out, n_in\)"),
    ],
)
def test_layers_that_do_not_follow_each_other_are_no_network(shapes, message):
    weights = [torch.ones(shape) for shape in shapes]
    with pytest.raises(ValueError, match=message):
        MLP(weights, [torch.ones(shape[:-1] or 3) for shape in shapes])


def test_a_batch_of_networks_computes_what_each_does_alone():
    batch = glorot_mlp((7, 6, 3), seeds=[4, 5, 6])
    x, y = torch.from_numpy(rng_of(0).random((50, 7), np.float32)), torch.arange(50) % 3
    assert batch.layer_sizes == (7, 6, 3)
    assert batch.logits(x).shape == (3, 50, 3)
    for r in range(3):
        alone = batch.network(r)
        torch.testing.assert_close(batch.logits(x)[r], alone.logits(x))
        torch.testing.assert_close(alone.logits(x), as_module(alone)(x).detach())
        assert batch.accuracy(x, y, chunk_size=11)[r] == alone.accuracy(x, y)


def test_fresh_weights_are_uniform_up_to_glorots_limit_and_biases_0():
    network = glorot_mlp((300, 200, 10), seeds=[1]).network(0)
    for weight, (n_in, n_out) in zip(network.weights, [(300, 200), (200, 10)], strict=True):
        limit = math.sqrt(6 / (n_in + n_out))
        assert weight.shape == (n_out, n_in)
        assert weight.abs().max() <= limit
        assert weight.abs().max() > 0.99 * limit
        n, spread = weight.numel(), limit / math.sqrt(3)
        assert abs(weight.mean()) < 4.5 * spread / math.sqrt(n)
        # the fourth moment of a uniform distribution gives its variance the spread 2 s^2/sqrt(5 n)
        assert abs(weight.var() - spread**2) < 4.5 * 2 * spread**2 / math.sqrt(5 * n)
    assert not any(bias.any() for bias in network.biases)


def test_a_fresh_network_depends_on_its_own_seed_alone():
    with global_random_state_untouched():
        batch = glorot_mlp((7, 6, 3), seeds=[11, 12, 13])
    alone = glorot_mlp((7, 6, 3), seeds=[12]).network(0)
    for own, same in zip(batch.network(1).weights, alone.weights, strict=True):
        assert torch.equal(own, same)
    assert (batch.weights[0][0] != batch.weights[0][1]).all()


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_derived_seeds_differ_and_repeat(first, second, epoch):
    seed = derived_seed(first, epoch)
    assert 0 <= seed < 2**63
    assert seed == derived_seed(first, epoch)
    assert seed != derived_seed(first, epoch + 1)
    assert (seed == derived_seed(second, epoch)) == (first == second)


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ValueError, match="device='nonsense' cannot be used here"):
        resolve_device("nonsense")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"device='cuda' cannot be used here .*'auto', 'cpu'"):
            resolve_device("cuda")
