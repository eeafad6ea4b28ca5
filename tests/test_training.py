"""Training, against torch's own modules, autograd and optimizer."""

from __future__ import annotations

import copy
import io
import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from elsewhere import CUDA
from networks import global_random_state_untouched, rng_of
from perceptrons import as_module, assert_same_networks, network_of
from torch import nn

from modclust_utils.models import MLP, glorot_mlp
from modclust_utils.training import (
    TrainingSettings,
    TrainingState,
    _dropout_keep,
    initial_state,
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


# --- gradients, dropout, single steps ------------------------------------------------------------


def one_step(settings, x, y, *, seeds, place=torch.as_tensor):
    """Parameters before the first step, its gradients, and hits; with dropout all units are active.

    In Adam's first moment after one step stands the gradient itself, times 1 - 0.9.
    """
    state = initial_state(settings, seeds=seeds, device="cpu")
    state.parameters = [
        place((p.abs() if settings.dropout_rate else p).double() + 0.1) for p in state.parameters
    ]
    start = [p.clone() for p in state.parameters]
    train_epoch(state, place(x), place(y), settings)
    gradients = [each["exp_avg"] / (1 - 0.9) for each in state.optimizer["state"].values()]
    return start, gradients, (state.running_accuracy * len(y)).round()


def plain_gradients(parameters, x, y, keeps, rate):
    """The same of one network after the other, by autograd; and hits."""
    leaves = [p.clone().requires_grad_() for p in parameters]
    depth, total, hits = len(leaves) // 2, 0, []
    for r in range(len(leaves[0])):
        hidden = x
        for layer in range(depth):
            hidden = hidden @ leaves[layer][r].T + leaves[depth + layer][r]
            if layer < depth - 1:
                hidden = hidden.relu() * keeps[layer][r] / (1 - rate)
        total = total + nn.functional.cross_entropy(hidden, y)
        hits.append(int((hidden.argmax(1) == y).sum()))
    total.backward()
    return [leaf.grad for leaf in leaves], hits


def one_step_settings(sizes, n, rate=0.0):
    return replace(SMALL, layer_sizes=sizes, batch_size=n, dropout_rate=rate, shuffle=False)


def test_gradients_are_those_of_autograd():
    x, y = torch.from_numpy(X[:9]).double(), torch.from_numpy(Y[:9])
    start, found, hits = one_step(one_step_settings((7, 6, 5, 3), 9), x, y, seeds=[1, 2])
    expected, expected_hits = plain_gradients(start, x, y, [torch.ones(2, 9, 1)] * 2, 0.0)
    assert hits.tolist() == expected_hits
    for gradient, plain in zip(found, expected, strict=True):
        assert plain.abs().max() > 1e-4
        torch.testing.assert_close(gradient, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("sizes", "n"), [((9, 40, 3), 9), ((1, 30, 20, 3), 1)])
def test_gradients_with_dropout_are_those_of_autograd_with_the_same_units(sizes, n):
    """Image i is pixel i: only units that were dropped for it get no gradient of their weight
    from that pixel, or, where it is the only image, of their bias."""
    rate, x, y = 0.4, torch.eye(n, dtype=torch.float64), torch.arange(n) % 3
    start, found, hits = one_step(one_step_settings(sizes, n, rate), x, y, seeds=[1, 2])
    depth = len(sizes) - 1
    keeps = [found[0].mT != 0, *(bias.unsqueeze(1) != 0 for bias in found[depth + 1 : -1])]
    assert [tuple(keep.shape) for keep in keeps] == [(2, n, width) for width in sizes[1:-1]]
    for keep in keeps:
        assert 0.2 < (~keep).double().mean() < 0.6
        assert (keep[0] != keep[1]).any()
    expected, expected_hits = plain_gradients(start, x, y, keeps, rate)
    assert hits.tolist() == expected_hits
    for gradient, plain in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, plain, rtol=1e-10, atol=1e-12)


def test_a_rate_next_to_1_drops_nearly_all():
    keep = _dropout_keep(torch.Generator().manual_seed(0), (100_000,), 1 - 1e-9)
    assert keep.sum() < 20  # one in 65,536


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5, 0.9])
def test_dropout_drops_the_share_it_is_told(rate):
    """Image i is pixel i, and units that were dropped for it get no gradient from there."""
    x, y = torch.eye(1001, dtype=torch.float64), torch.zeros(1001, dtype=torch.int64)
    settings = one_step_settings((1001, 333, 3), 1001, rate)
    keep = one_step(settings, x, y, seeds=[3])[1][0][0].T != 0
    assert keep.shape == (1001, 333)
    spread = math.sqrt(rate * (1 - rate) / keep.numel())
    assert abs((~keep).double().mean() - rate) < 4.5 * spread + 1 / 65536
    # neighbours among the units and among the images are independent
    dropped = (~keep).flatten()[: 4 * 80_000].view(-1, 4).double() - rate
    correlation = (dropped.T @ dropped / len(dropped)) / (rate * (1 - rate))
    torch.testing.assert_close(
        correlation, torch.eye(4, dtype=torch.float64), atol=5 / math.sqrt(80_000), rtol=0.05
    )


def trained_by_torch(settings, seed, *, epochs):
    """One network, image order as given, by autograd and torch's Adam."""
    module = as_module(glorot_mlp(settings.layer_sizes, seeds=[seed]).network(0))
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


@pytest.mark.parametrize("batch_size", [1, 5, 12])
@pytest.mark.parametrize("shuffle", [True, False])
def test_each_network_has_its_own_order_of_all_images(shuffle, batch_size):
    """Image i is pixel i, and the network stays as it is: how often Adam has multiplied the
    gradient from a pixel by 0.9 says when its image was seen."""
    n, seeds = 12, [1, 2]
    settings = TrainingSettings(
        (n, 3), 0.0, 2, 0, batch_size=batch_size, learning_rate=1e-30, shuffle=shuffle
    )
    moments = [torch.zeros(2, 3, n)]
    train(
        torch.eye(n),
        torch.arange(n) % 2 * 2,  # never class 1, whose gradient we look at
        settings,
        seeds=seeds,
        device="cpu",
        on_epoch=lambda state: moments.append(state.optimizer["state"][0]["exp_avg"].clone()),
    )
    sizes = np.array([min(batch_size, n - start) for start in range(0, n, batch_size)])
    seen_at = 0.1 * 0.9 ** np.arange(len(sizes))[::-1] / sizes
    alone = glorot_mlp((n, 3), seeds=seeds).weights[0].softmax(1)[:, 1]
    epochs = []
    for before, after in pairwise(moments):
        seen = ((after - before * 0.9 ** len(sizes))[:, 1] / alone).numpy()
        away = np.abs(seen[..., None] / seen_at - 1)
        assert away.min(2).max() < 1e-3
        epochs.append(away.argmin(2))
    for order in (*epochs[0], *epochs[1]):
        np.testing.assert_array_equal(np.bincount(order), sizes)
        if not shuffle:
            np.testing.assert_array_equal(order, np.arange(n) // batch_size)
    if shuffle and batch_size < n:
        assert (epochs[0][0] != epochs[0][1]).any()
        assert (epochs[0] != epochs[1]).any(1).all()


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
    module = as_module(network)
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
    "state",
    [
        initial_state(replace(SMALL, layer_sizes=(7, 4, 3)), seeds=[1], device="cpu"),
        initial_state(replace(SMALL, layer_sizes=(7, 5, 6, 3)), seeds=[1], device="cpu"),
        TrainingState((1,), [], {}),
    ],
)
def test_a_state_of_other_layers_is_refused(state):
    with pytest.raises(ValueError, match=r"state has parameters of shapes \[.*allowed: \[\(1, 6"):
        train(X, Y, SMALL, seeds=[1], device="cpu", state=state)


def test_trained_networks_stay_as_they_are_when_their_state_goes_on():
    state, seeds = initial_state(SMALL, seeds=[1], device="cpu"), [1]
    short = replace(SMALL, epochs=1, pruning_epochs=0)
    found = train(X, Y, short, seeds=seeds, device="cpu", state=state)
    alone = train(X, Y, short, seeds=seeds, device="cpu")
    train(X, Y, replace(SMALL, epochs=3), seeds=seeds, device="cpu", state=state)
    assert_same_networks(found.after, alone.after)
    assert_same_networks(found.before, alone.before)


def test_training_that_runs_away_is_not_pruned():
    wild = replace(SMALL, learning_rate=1e30)
    with pytest.raises(ValueError, match="weight holds NaN or infinity"):
        train(X, Y, wild, seeds=[0], device="cpu")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer_sizes", (7, 2**31)),
        ("batch_size", 2**31),
        ("learning_rate", math.inf),
        ("learning_rate", 10**400),
        ("learning_rate", Fraction(10**400)),
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
    with pytest.raises(ValueError, match=f"{name}.*allowed: "):
        TrainingSettings(**{name: value})


def test_fractions_become_floats_and_whole_numbers_stay():
    settings = TrainingSettings(learning_rate=Fraction(1, 4), dropout_rate=0)
    assert (settings.learning_rate, type(settings.learning_rate)) == (0.25, float)
    assert type(settings.dropout_rate) is int  # as the keys of records have it


def test_default_settings_are_those_of_paper_a():
    settings = TrainingSettings()
    assert settings.layer_sizes == (784, 256, 256, 256, 256, 10)
    assert (settings.epochs, settings.pruning_epochs) == (20, 20)
    assert (settings.batch_size, settings.learning_rate) == (128, 1e-3)
    assert (settings.initial_sparsity, settings.final_sparsity) == (0.5, 0.9)
    assert sum(a * b for a, b in pairwise(settings.layer_sizes)) == 399_872


# --- on another device ---------------------------------------------------------------------------


@pytest.mark.parametrize("place", [CUDA])
def test_gradients_on_another_device_are_those_of_the_cpu(place):
    """Without an order to draw, the device makes no difference but to the fresh weights."""
    settings = one_step_settings((7, 6, 5, 3), 9)
    x, y = torch.from_numpy(X[:9]).double(), torch.from_numpy(Y[:9])
    _, found, hits = one_step(settings, x, y, seeds=[1, 2], place=place)
    _, expected, expected_hits = one_step(settings, x, y, seeds=[1, 2])
    assert hits.tolist() == expected_hits.tolist()
    for gradient, plain in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient.tolist(), plain, rtol=1e-9, atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_on_a_gpu_a_network_of_a_batch_is_the_one_trained_alone(rate):
    settings = replace(SMALL, dropout_rate=rate)
    batch = train(X, Y, settings, seeds=[5, 6], device="cuda")
    alone = train(X, Y, settings, seeds=[6], device="cuda")
    assert batch.after.weights[0].device.type == "cuda"
    assert_same_networks(
        batch.after.to("cpu").network(1), alone.after.to("cpu").network(0), rtol=1e-3, atol=1e-4
    )
