"""Networks and their training, against torch's own modules, autograd and optimizer."""

from __future__ import annotations

import copy
import io
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from networks import global_random_state_untouched, rng_of
from torch import nn

from modclust_utils import training
from modclust_utils.models import MLP, derived_seed, glorot_mlp, resolve_device
from modclust_utils.training import (
    TrainingSettings,
    initial_state,
    magnitude_mask,
    polynomial_sparsity,
    train,
    train_epoch,
)

# 50 images in batches of 8: six full ones and one of 2
X = rng_of(0).random((50, 7)).astype(np.float32)
Y = rng_of(1).integers(0, 3, 50)
SMALL = TrainingSettings(
    layer_sizes=(7, 6, 5, 3), epochs=3, pruning_epochs=3, batch_size=8, learning_rate=0.01
)
STEPS = 7  # in an epoch


def parameters_of(network):
    return network.weights + network.biases


def assert_same_networks(first, second, **tolerance):
    for a, b in zip(parameters_of(first), parameters_of(second), strict=True):
        if tolerance:
            np.testing.assert_allclose(a, b, **tolerance)
        else:
            np.testing.assert_array_equal(a, b)


def module_of(network):
    """The same network as a torch module."""
    layers = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        linear.weight.data, linear.bias.data = weight.clone(), bias.clone()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def network_of(module):
    linears = [layer for layer in module if isinstance(layer, nn.Linear)]
    return MLP([layer.weight.data for layer in linears], [layer.bias.data for layer in linears])


# --- networks ------------------------------------------------------------------------------------


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


def test_a_batch_of_networks_computes_what_each_does_alone():
    batch = glorot_mlp((7, 6, 3), seeds=[4, 5, 6])
    x, y = torch.tensor(X), torch.tensor(Y)
    assert batch.layer_sizes == (7, 6, 3)
    assert batch.logits(x).shape == (3, 50, 3)
    for r in range(3):
        alone = batch.network(r)
        torch.testing.assert_close(batch.logits(x)[r], alone.logits(x))
        torch.testing.assert_close(alone.logits(x), module_of(alone)(x).detach())
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
    assert_same_networks(batch.network(1), glorot_mlp((7, 6, 3), seeds=[12]).network(0))
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


# --- the sparsity of pruning ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.5),
        (50, 0.9 - 0.4 / 8),
        (75, 0.9 - 0.4 / 64),
        (100, 0.9),
        (-5, 0.5),
        (140, 0.9),
    ],
)
def test_sparsity_goes_from_a_half_to_nine_tenths_as_a_cubic(step, expected):
    assert polynomial_sparsity(step, n_steps=100) == pytest.approx(expected)


def test_sparsity_takes_other_ends_and_powers():
    options = {"n_steps": 10, "initial_sparsity": 0.2, "final_sparsity": 0.6}
    assert polynomial_sparsity(5, power=1.0, **options) == pytest.approx(0.4)
    assert polynomial_sparsity(5, power=2.0, **options) == pytest.approx(0.5)


@given(n_steps=st.integers(1, 500), step=st.integers(0, 500))
def test_sparsity_never_falls(n_steps, step):
    here, there = (polynomial_sparsity(s, n_steps=n_steps) for s in (step, step + 1))
    assert 0.5 <= here <= there <= 0.9


def test_sparsity_needs_steps():
    with pytest.raises(ValueError, match="n_steps=0 is not allowed: 1 or more"):
        polynomial_sparsity(0, n_steps=0)


# --- masks ---------------------------------------------------------------------------------------


def test_mask_keeps_the_largest_magnitudes():
    weight = torch.tensor([[0.1, -5.0, 2.0], [-0.3, 0.0, 4.0]])
    assert magnitude_mask(weight, 0.5).tolist() == [[False, True, True], [False, False, True]]
    assert magnitude_mask(weight, 0.0).all()
    assert not magnitude_mask(weight, 1.0).any()


@pytest.mark.parametrize(
    ("sparsity", "n_kept"), [(0.0, 10), (0.04, 10), (0.06, 9), (0.5, 5), (0.84, 2), (0.96, 0)]
)
def test_mask_keeps_the_rounded_number(sparsity, n_kept):
    weight = torch.arange(1.0, 11.0).reshape(2, 5)
    assert magnitude_mask(weight, sparsity).sum() == n_kept


def test_ties_are_kept_together():
    weight = torch.tensor([[1.0, -2.0, 2.0, 2.0, 3.0, 0.5]])
    # three entries are to be kept; the third largest has two equals
    assert magnitude_mask(weight, 0.5).tolist() == [[False, True, True, True, True, False]]


@given(
    weight=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-2, 2, width=32),
    ),
    sparsity=st.floats(0, 1),
)
def test_what_a_mask_drops_is_smaller_than_what_it_keeps(weight, sparsity):
    before = weight.copy()
    mask = magnitude_mask(torch.from_numpy(weight), sparsity).numpy()
    np.testing.assert_array_equal(weight, before)
    n_keep = round(weight.size * (1 - sparsity))
    kept, dropped = np.abs(weight[mask]), np.abs(weight[~mask])
    assert mask.sum() >= n_keep
    if n_keep == 0:
        assert not mask.any()
    else:
        # beyond n_keep there are ties with the smallest that is kept, and nothing else
        assert (kept > kept.min()).sum() < n_keep
        assert (dropped < kept.min()).all()


@pytest.mark.parametrize("n_zero", [0, 30, 36, 72])
@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.9])
def test_mask_of_a_pruned_matrix_is_that_of_a_plain_selection(n_zero, sparsity):
    weight = torch.randn(2, 8, 9, generator=torch.Generator().manual_seed(1))
    weight[0].view(-1)[torch.randperm(72, generator=torch.Generator().manual_seed(2))[:n_zero]] = 0
    n_keep = round(72 * (1 - sparsity))
    threshold = weight.abs().reshape(2, 72).kthvalue(72 - n_keep + 1, dim=1).values
    assert torch.equal(magnitude_mask(weight, sparsity), weight.abs() >= threshold[:, None, None])


def test_mask_of_a_batch_is_that_of_each_matrix():
    batch = torch.randn(3, 8, 9, generator=torch.Generator().manual_seed(0))
    batch[1] *= 100
    masks = magnitude_mask(batch, 0.7)
    for weight, mask in zip(batch, masks, strict=True):
        assert torch.equal(mask, magnitude_mask(weight, 0.7))
        assert mask.sum() == round(72 * 0.3)


@pytest.mark.parametrize("sparsity", [-0.1, 1.1, math.nan])
def test_mask_refuses_what_is_no_share(sparsity):
    with pytest.raises(ValueError, match=f"sparsity={sparsity} is not allowed: 0 <= sparsity <= 1"):
        magnitude_mask(torch.ones(2, 2), sparsity)


# --- gradients, dropout, single steps ------------------------------------------------------------


def batch_of(n_networks, n):
    """Images and labels of a batch, other ones for each network."""
    rng = rng_of(7)
    x = torch.from_numpy(rng.random((n_networks, n, 7)).astype(np.float32))
    return x, torch.from_numpy(rng.integers(0, 3, (n_networks, n)))


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_gradients_are_those_of_autograd(rate):
    networks = glorot_mlp((7, 6, 5, 3), seeds=[1, 2])
    generator = torch.Generator().manual_seed(0)
    parameters = [p.double() + 0.1 for p in parameters_of(networks)]
    x, y = batch_of(2, 9)
    keeps = None
    if rate > 0:
        keeps = [torch.rand(2, 9, width, generator=generator) >= rate for width in (6, 5)]
    found, hits = training._gradients(parameters, x.double(), y, keeps, rate)

    leaves = [p.clone().requires_grad_() for p in parameters]
    weights, biases = leaves[:3], leaves[3:]
    total = 0
    for r in range(2):
        hidden = x[r].double()
        for layer in range(3):
            hidden = hidden @ weights[layer][r].T + biases[layer][r]
            if layer < 2:
                hidden = hidden.relu()
                if keeps is not None:
                    hidden = hidden * keeps[layer][r] / (1 - rate)
        total = total + nn.functional.cross_entropy(hidden, y[r])
        assert hits[r] == (hidden.argmax(1) == y[r]).sum()
    total.backward()
    for gradient, leaf in zip(found, leaves, strict=True):
        assert leaf.grad.abs().max() > 1e-4
        torch.testing.assert_close(gradient, leaf.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_dropout_drops_the_share_it_is_told(rate):
    keep = training._dropout_keep(torch.Generator().manual_seed(3), (1001, 333), rate)
    assert keep.shape == (1001, 333)
    assert keep.dtype == torch.bool
    spread = math.sqrt(rate * (1 - rate) / keep.numel())
    assert abs((~keep).double().mean() - rate) < 4.5 * spread + 1 / 65536
    # units of one draw of 64 bits, and neighbours among the images, are independent
    dropped = (~keep).flatten()[: 4 * 80_000].view(-1, 4).double() - rate
    correlation = (dropped.T @ dropped / len(dropped)) / (rate * (1 - rate))
    torch.testing.assert_close(
        correlation, torch.eye(4, dtype=torch.float64), atol=5 / math.sqrt(80_000), rtol=0.05
    )


def test_dropout_masks_are_of_the_hidden_units_and_of_each_network():
    settings = replace(SMALL, dropout_rate=0.5)

    def draw(seeds):
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return training._dropout_masks(generators, 40, settings)

    masks = draw([1, 2])
    assert [tuple(mask.shape) for mask in masks] == [(2, 40, 6), (2, 40, 5)]
    assert (masks[0][0] != masks[0][1]).any()
    for mask, alone in zip(masks, draw([2]), strict=True):
        assert torch.equal(mask[1], alone[0])
    assert training._dropout_masks([], 40, SMALL) is None


def trained_by_torch(settings, seed, *, epochs):
    """One network, image order as given, by autograd and torch's Adam."""
    module = module_of(glorot_mlp(settings.layer_sizes, seeds=[seed]).network(0))
    optimizer = torch.optim.Adam(module.parameters(), lr=settings.learning_rate, eps=1e-7)
    for _ in range(epochs):
        hits = 0
        for start in range(0, len(Y), settings.batch_size):
            x = torch.tensor(X[start : start + settings.batch_size])
            y = torch.tensor(Y[start : start + settings.batch_size])
            logits = module(x)
            hits += (logits.argmax(1) == y).sum().item()
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, y).backward()
            optimizer.step()
    return network_of(module), hits / len(Y)


@pytest.mark.parametrize(("batch_size", "epochs"), [(50, 1), (8, 1), (8, 4), (500, 2)])
def test_training_is_that_of_torchs_module_and_adam(batch_size, epochs):
    """One step; a partial last batch; several epochs; a batch larger than the data."""
    settings = replace(SMALL, batch_size=batch_size, epochs=epochs, pruning_epochs=0, shuffle=False)
    found = train(X, Y, settings, seeds=[3, 8], device="cpu")
    for r, seed in enumerate([3, 8]):
        expected, running_accuracy = trained_by_torch(settings, seed, epochs=epochs)
        assert_same_networks(found.after.network(r), expected, rtol=1e-4, atol=1e-6)
        assert found.running_accuracy_after[r] == pytest.approx(running_accuracy)
    start = glorot_mlp(settings.layer_sizes, seeds=[3])
    moved = (found.after.weights[0][0] - start.weights[0][0]).abs().max()
    assert moved > 0.5 * settings.learning_rate


def test_each_network_has_its_own_order_of_all_images():
    """Images that are their own number in a network that counts: what has it seen, and when?"""
    n, seen = 12, []
    real = training._gradients

    def watch(parameters, x, y, keeps, rate):
        seen.append(x[..., 0].clone())
        return real(parameters, x, y, keeps, rate)

    x = torch.arange(float(n)).reshape(n, 1)
    settings = TrainingSettings(layer_sizes=(1, 2), epochs=2, pruning_epochs=0, batch_size=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_gradients", watch)
        train(x, torch.zeros(n), settings, seeds=[1, 2], device="cpu")
        shuffled, seen[:] = list(seen), []
        train(x, torch.zeros(n), replace(settings, shuffle=False), seeds=[1, 2], device="cpu")
        in_order = list(seen)
    assert [batch.shape[1] for batch in shuffled] == [5, 5, 2, 5, 5, 2]
    epochs = torch.cat(shuffled[:3], 1), torch.cat(shuffled[3:], 1)
    for order in epochs:
        assert torch.equal(order.sort(1).values, x.T.expand(2, n))
        assert (order[0] != order[1]).any()
        assert (order != x.T).any()
    assert (epochs[0] != epochs[1]).any()
    assert torch.equal(torch.cat(in_order[:3], 1), x.T.expand(2, n))


# --- whole runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_a_network_of_a_batch_is_the_one_trained_alone(rate):
    settings = replace(SMALL, dropout_rate=rate)
    batch = train(X, Y, settings, seeds=[5, 6, 7], device="cpu")
    for r, seed in enumerate([5, 6, 7]):
        alone = train(X, Y, settings, seeds=[seed], device="cpu")
        for phase in ("before", "after"):
            together, single = getattr(batch, phase).network(r), getattr(alone, phase).network(0)
            assert_same_networks(together, single, rtol=1e-4, atol=1e-5)
        for a, b in zip(
            batch.after.network(r).weights, alone.after.network(0).weights, strict=True
        ):
            assert torch.equal(a != 0, b != 0)
        assert batch.running_accuracy_after[r] == pytest.approx(
            alone.running_accuracy_after[0].item(), abs=1.5 / len(Y)
        )


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_training_comes_from_the_seeds_alone(rate):
    settings = replace(SMALL, dropout_rate=rate)
    with global_random_state_untouched():
        first = train(X, Y, settings, seeds=[1, 2], device="cpu")
    again = train(X, Y, settings, seeds=[1, 2], device="cpu")
    other = train(X, Y, settings, seeds=[3, 2], device="cpu")
    assert_same_networks(first.after, again.after)
    assert_same_networks(first.before, again.before)
    assert (first.before.weights[0][0] != other.before.weights[0][0]).any()
    assert_same_networks(first.after.network(1), other.after.network(1), rtol=1e-4, atol=1e-5)


def test_dropout_changes_training_and_its_rate_matters():
    runs = [
        train(X, Y, replace(SMALL, dropout_rate=rate), seeds=[1], device="cpu").before.weights[0]
        for rate in (0.0, 0.2, 0.5)
    ]
    assert (runs[0] != runs[1]).any()
    assert (runs[1] != runs[2]).any()


def saved(state):
    """A copy of the state through a file, as a run would keep it."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, saved])
def test_training_that_was_killed_goes_on_bit_for_bit(copied):
    settings = replace(SMALL, dropout_rate=0.2)
    states = []
    whole = train(
        X,
        Y,
        settings,
        seeds=[4, 9],
        device="cpu",
        on_epoch=lambda state: states.append(copied(state)),
    )
    assert [state.epoch for state in states] == [1, 2, 3, 4, 5, 6]
    for state in states:
        resumed = train(X, Y, settings, seeds=[4, 9], device="cpu", state=state)
        assert_same_networks(resumed.before, whole.before)
        assert_same_networks(resumed.after, whole.after)
        assert torch.equal(resumed.running_accuracy_before, whole.running_accuracy_before)
        assert torch.equal(resumed.running_accuracy_after, whole.running_accuracy_after)


def test_before_is_the_network_without_a_pruning_phase():
    whole = train(X, Y, SMALL, seeds=[1, 2], device="cpu")
    short = train(X, Y, replace(SMALL, pruning_epochs=0), seeds=[1, 2], device="cpu")
    assert_same_networks(whole.before, short.after)
    assert_same_networks(short.before, short.after)
    assert torch.equal(whole.running_accuracy_before, short.running_accuracy_after)
    assert torch.equal(short.running_accuracy_before, short.running_accuracy_after)
    assert all((w != 0).all() for w in whole.before.weights)


@pytest.mark.parametrize(("interval", "last"), [(10, 20), (1, 20), (4, 20), (6, 18), (50, 0)])
def test_sparsity_in_the_end_is_that_of_the_last_mask(interval, last):
    """3 epochs of 7 steps: the last mask is made at the last multiple of the interval below 21."""
    settings = replace(SMALL, pruning_interval=interval)
    target = polynomial_sparsity(last, n_steps=3 * STEPS)
    trained = train(X, Y, settings, seeds=[1, 2], device="cpu")
    for weight in trained.after.weights:
        kept = (weight != 0).flatten(1).sum(1)
        assert kept.tolist() == [round(weight[0].numel() * (1 - target))] * 2
    assert all(bias.ne(0).any() for bias in trained.after.biases)


def pruned_by_torch(network, settings):
    """The pruning phase of one network in the plainest form, image order as given."""
    module = module_of(network)
    optimizer = torch.optim.Adam(module.parameters(), lr=settings.learning_rate, eps=1e-7)
    linears = [layer for layer in module if isinstance(layer, nn.Linear)]
    step, n_steps = 0, STEPS * settings.pruning_epochs
    for _ in range(settings.pruning_epochs):
        for start in range(0, len(Y), settings.batch_size):
            if step % settings.pruning_interval == 0:
                sparsity = 0.9 - 0.4 * (1 - step / n_steps) ** 3
                masks = []
                for linear in linears:
                    size = linear.weight.numel()
                    n_keep = round(size * (1 - sparsity))
                    largest = linear.weight.data.abs().flatten().sort(descending=True).values
                    masks.append(linear.weight.data.abs() >= largest[n_keep - 1])
                    linear.weight.data *= masks[-1]
            logits = module(torch.tensor(X[start : start + settings.batch_size]))
            labels = torch.tensor(Y[start : start + settings.batch_size])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels).backward()
            optimizer.step()
            for linear, mask in zip(linears, masks, strict=True):
                linear.weight.data *= mask
            step += 1
    return network_of(module)


@pytest.mark.parametrize("interval", [10, 3])
def test_pruning_is_that_of_a_plain_loop(interval):
    """A fresh Adam, masks from the current weights, weights masked after every step."""
    settings = replace(SMALL, shuffle=False, pruning_interval=interval)
    found = train(X, Y, settings, seeds=[3, 8], device="cpu")
    for r in range(2):
        expected = pruned_by_torch(found.before.network(r), settings)
        assert_same_networks(found.after.network(r), expected, rtol=1e-3, atol=1e-5)


def test_training_learns():
    """Three classes that a straight line each tells apart."""
    rng = rng_of(3)
    y = rng.integers(0, 3, 600)
    x = rng.normal(size=(600, 7)) + 3 * np.eye(7)[y]
    sizes = (7, 32, 16, 3)
    settings = replace(SMALL, layer_sizes=sizes, batch_size=32, epochs=6, pruning_epochs=4)
    trained = train(x, y, settings, seeds=[1, 2, 3], device="cpu")
    assert (trained.running_accuracy_before > 0.9).all()
    reached = trained.after.accuracy(torch.tensor(x).float(), torch.tensor(y))
    assert (reached > 0.8).all()


def test_running_accuracy_counts_hits_while_the_epoch_goes_on():
    """With a learning rate of almost 0 the network stays, and its accuracy is the running one."""
    settings = replace(SMALL, epochs=1, pruning_epochs=0, learning_rate=1e-30)
    trained = train(X, Y, settings, seeds=[1, 2], device="cpu")
    expected = glorot_mlp(settings.layer_sizes, seeds=[1, 2]).accuracy(
        torch.tensor(X), torch.tensor(Y)
    )
    torch.testing.assert_close(trained.running_accuracy_after, expected)
    with_dropout = replace(settings, dropout_rate=0.9)
    dropped = train(X, Y, with_dropout, seeds=[1, 2], device="cpu")
    assert (dropped.running_accuracy_after != expected).any()


def test_nothing_to_do_gives_the_fresh_networks():
    trained = train(X, Y, replace(SMALL, epochs=0, pruning_epochs=0), seeds=[1], device="cpu")
    assert_same_networks(trained.after, glorot_mlp(SMALL.layer_sizes, seeds=[1]))
    assert trained.running_accuracy_after.isnan().all()


def test_pruning_without_training_before_it():
    trained = train(X, Y, replace(SMALL, epochs=0), seeds=[1], device="cpu")
    assert_same_networks(trained.before, glorot_mlp(SMALL.layer_sizes, seeds=[1]))
    assert trained.running_accuracy_before.isnan().all()
    assert all((weight == 0).any() for weight in trained.after.weights)


def test_a_network_without_hidden_layers_has_nothing_to_drop():
    settings = replace(SMALL, layer_sizes=(7, 3))
    plain = train(X, Y, settings, seeds=[1], device="cpu")
    dropped = train(X, Y, replace(settings, dropout_rate=0.5), seeds=[1], device="cpu")
    assert plain.after.layer_sizes == (7, 3)
    assert dropped.after.layer_sizes == (7, 3)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x, y: (torch.tensor(X), torch.tensor(Y)),
        lambda x, y: (X.astype(np.float64), Y.astype(np.uint8)),
        lambda x, y: (np.asfortranarray(X), Y.astype(np.int32)),
        lambda x, y: (torch.tensor(X.T.copy()).T, torch.tensor(np.repeat(Y, 2))[::2]),
    ],
)
def test_kinds_of_data_give_the_same_networks(convert):
    x, y = convert(X, Y)
    found = train(x, y, SMALL, seeds=[2], device="cpu")
    assert_same_networks(found.after, train(X, Y, SMALL, seeds=[2], device="cpu").after)


def test_data_are_left_as_they_are():
    x, y = X.copy(), Y.copy()
    x.flags.writeable = y.flags.writeable = False
    train(x, y, SMALL, seeds=[1], device="cpu")
    tensor = torch.tensor(X)
    train(tensor, torch.tensor(Y), SMALL, seeds=[1], device="cpu")
    np.testing.assert_array_equal(tensor, X)


def test_train_is_its_epochs_one_by_one():
    state = initial_state(SMALL, seeds=[1, 2], device="cpu")
    for _ in range(6):
        train_epoch(state, torch.tensor(X), torch.tensor(Y), SMALL)
    whole = train(X, Y, SMALL, seeds=[1, 2], device="cpu")
    assert_same_networks(MLP(state.parameters[:3], state.parameters[3:]), whole.after)
    assert whole.seeds == (1, 2)
    assert whole.settings == SMALL


@pytest.mark.parametrize(
    ("x", "y", "seeds", "message"),
    [
        (X[:, :6], Y, [1], r"x has shape \(50, 6\); allowed: \(n, 7\)"),
        (X[0], Y, [1], r"x has shape \(7,\)"),
        (X, Y[:49], [1], r"y has shape \(49,\); allowed: \(50,\)"),
        (X, Y[:, None], [1], r"y has shape \(50, 1\)"),
        (X[:0], Y[:0], [1], r"y has shape \(0,\).*n of 1 or more"),
        (X, Y + 1, [1], "y has labels from 1 to 3; allowed: 0 to 2"),
        (X, Y - 1, [1], "y has labels from -1 to 1"),
        (X, Y, [], r"seeds=\[\] is not allowed"),
    ],
)
def test_data_that_do_not_fit_are_refused_by_name(x, y, seeds, message):
    with pytest.raises(ValueError, match=message):
        train(x, y, SMALL, seeds=seeds, device="cpu")


def test_a_state_of_other_seeds_is_refused():
    state = initial_state(SMALL, seeds=[1, 2], device="cpu")
    with pytest.raises(ValueError, match=r"seeds=\[1, 3\] are not those of the state, \[1, 2\]"):
        train(X, Y, SMALL, seeds=[1, 3], device="cpu", state=state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer_sizes", (7,)),
        ("layer_sizes", (7, 0, 3)),
        ("dropout_rate", -0.1),
        ("dropout_rate", 1.0),
        ("dropout_rate", math.nan),
        ("epochs", -1),
        ("pruning_epochs", -1),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("initial_sparsity", -0.1),
        ("initial_sparsity", 0.95),
        ("final_sparsity", 1.0),
        ("pruning_interval", 0),
    ],
)
def test_settings_refuse_what_they_cannot_mean(name, value):
    with pytest.raises(ValueError, match=f"{name}=.* is not allowed: "):
        TrainingSettings(**{name: value})


def test_default_settings_are_those_of_paper_a():
    settings = TrainingSettings()
    assert settings.layer_sizes == (784, 256, 256, 256, 256, 10)
    assert (settings.epochs, settings.pruning_epochs) == (20, 20)
    assert (settings.batch_size, settings.learning_rate) == (128, 1e-3)
    assert (settings.initial_sparsity, settings.final_sparsity) == (0.5, 0.9)
    assert sum(a * b for a, b in pairwise(settings.layer_sizes)) == 399_872


# --- on a GPU ------------------------------------------------------------------------------------

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@GPU
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_on_a_gpu_a_network_of_a_batch_is_the_one_trained_alone(rate):
    settings = replace(SMALL, dropout_rate=rate)
    batch = train(X, Y, settings, seeds=[5, 6], device="cuda")
    alone = train(X, Y, settings, seeds=[6], device="cuda")
    assert batch.after.weights[0].device.type == "cuda"
    assert_same_networks(
        batch.after.to("cpu").network(1), alone.after.to("cpu").network(0), rtol=1e-3, atol=1e-4
    )


@GPU
def test_gradients_on_a_gpu_are_those_of_the_cpu():
    """Without an order to draw, the device makes no difference but to the fresh weights."""
    parameters = parameters_of(glorot_mlp((7, 6, 5, 3), seeds=[1, 2]))
    x, y = batch_of(2, 9)
    on_cpu, hits = training._gradients(parameters, x, y, None, 0.0)
    moved = [p.cuda() for p in parameters]
    on_gpu, same = training._gradients(moved, x.cuda(), y.cuda(), None, 0.0)
    assert torch.equal(hits, same.cpu())
    for a, b in zip(on_cpu, on_gpu, strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-4, atol=1e-6)


@GPU
def test_masks_on_a_gpu_are_those_of_the_cpu():
    weight = torch.randn(3, 20, 30, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    for sparsity in (0.0, 0.33, 0.9, 1.0):
        mask = magnitude_mask(weight.cuda(), sparsity).cpu()
        assert torch.equal(mask, magnitude_mask(weight, sparsity))
