"""Training with penalties and early stopping, against a plain loop with torch's own parts."""

from __future__ import annotations

import copy
import math
import re
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import global_random_state_untouched, rng_of
from perceptrons import as_module, assert_same_networks, network_of
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from modclust_utils.models import derived_seed
from modclust_utils.regularized import Progress, train_regularized, uniform_mlp
from modclust_utils.settings import RegularizedSettings

# 50 images: 10 for validation, 40 to train on in two batches of 16 and one of 8
X = rng_of(0).random((50, 7)).astype(np.float32)
Y = rng_of(1).integers(0, 3, 50)
SMALL = RegularizedSettings(
    layer_sizes=(7, 6, 5, 3),
    learning_rate=0.01,
    batch_size=16,
    max_epochs=12,
    patience=4,
    rate_patience=1,
    validation_share=0.2,
)
MIXED = [
    SMALL,
    replace(SMALL, l1=0.01),
    replace(SMALL, l2=0.02, learning_rate=0.03),
    replace(SMALL, dropout_rate=0.3),
    replace(SMALL, l1=0.003, l2=0.004, dropout_rate=0.6, rate_factor=0.1),
    replace(SMALL, patience=1, max_epochs=9),
]


def trained(settings, seeds, x=X, y=Y, **options):
    return train_regularized(x, y, settings, seeds=seeds, device="cpu", **options)


# --- fresh networks ------------------------------------------------------------------------------


def test_fresh_parameters_are_uniform_up_to_the_limit_of_linear_layers():
    sizes = (300, 200, 100)
    network = uniform_mlp(sizes, seeds=[1]).network(0)
    for layer, n_in in enumerate(sizes[:-1]):
        for parameter in (network.weights[layer], network.biases[layer]):
            # a Kolmogorov-Smirnov distance beyond 2 / sqrt(n) has a probability below 0.001
            n = parameter.numel()
            uniform = (parameter.flatten().sort().values * math.sqrt(n_in) + 1) / 2
            assert uniform[0] >= 0
            assert uniform[-1] <= 1
            steps = torch.arange(1, n + 1) / n
            assert (uniform - steps).abs().max() < 2 / math.sqrt(n)
        bound = nn.Linear(n_in, 200).weight.abs().max()
        assert network.weights[layer].abs().max() == pytest.approx(bound.item(), rel=0.01)


def test_a_fresh_network_depends_on_its_own_seed_alone():
    with global_random_state_untouched():
        batch = uniform_mlp((7, 6, 3), seeds=[11, 12, 13])
    assert batch.layer_sizes == (7, 6, 3)
    assert_same_networks(batch.network(1), uniform_mlp((7, 6, 3), seeds=[12]).network(0))
    assert (batch.weights[0][0] != batch.weights[0][1]).all()


# --- patience ------------------------------------------------------------------------------------


def progress_over(losses, **changes):
    """Progress, and after each loss: whether it is the best, the rate, whether training goes on."""
    progress = Progress(RegularizedSettings(learning_rate=1.0, rate_factor=0.5, **changes))
    seen = [(progress.add(loss), progress.learning_rate, progress.goes_on) for loss in losses]
    return progress, seen


def test_progress_by_hand():
    """Rate patience 2: the third epoch in vain; patience 5: the fifth. An equal loss is in vain."""
    progress, seen = progress_over(
        [3.0, 2.0, 2.0, 2.5, 2.1, 1.0, 1.5, 1.5, 1.5, 1.5, 1.0], patience=5, rate_patience=2
    )
    best, rates, goes_on = zip(*seen, strict=True)
    assert best == (True, True, False, False, False, True, False, False, False, False, False)
    assert rates == (1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25)
    assert goes_on == (*[True] * 10, False)
    assert (progress.epochs, progress.best_epoch, progress.lowest) == (11, 6, 1.0)


def test_progress_with_the_papers_patience():
    """After the best epoch: a smaller rate from the fifth epoch on, and no seventh epoch."""
    _, seen = progress_over([1.0] * 7, rate_patience=3, patience=6)
    assert [rate for _, rate, _ in seen] == [1, 1, 1, 1, 0.5, 0.5, 0.5]
    assert [goes_on for _, _, goes_on in seen] == [True] * 6 + [False]
    assert RegularizedSettings().patience == 6
    assert RegularizedSettings().rate_patience == 3


def test_progress_ends_with_the_last_epoch_and_may_never_begin():
    _, seen = progress_over([3.0, 2.0, 1.0], max_epochs=3)
    assert [goes_on for _, _, goes_on in seen] == [True, True, False]
    assert not Progress(RegularizedSettings(max_epochs=0)).goes_on


def test_a_loss_that_is_no_number_is_never_the_best():
    progress, seen = progress_over([math.nan, math.inf, math.nan], patience=3)
    assert [best for best, _, _ in seen] == [False] * 3
    assert (progress.best_epoch, progress.goes_on) == (0, False)


@given(
    losses=st.lists(st.integers(0, 5).map(float), min_size=1, max_size=30),
    patience=st.integers(0, 4),
    factor=st.sampled_from([0.1, 0.25, 1.0]),
)
def test_learning_rates_are_those_of_torchs_scheduler(losses, patience, factor):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = ReduceLROnPlateau(optimizer, patience=patience, factor=0.5, threshold=0, eps=0)
    scheduler.factor = factor  # the constructor refuses 1
    progress = Progress(
        RegularizedSettings(learning_rate=0.3, rate_patience=patience, rate_factor=factor)
    )
    for loss in losses:
        scheduler.step(loss)
        progress.add(loss)
        assert progress.learning_rate == pytest.approx(optimizer.param_groups[0]["lr"])
    assert progress.lowest == min(losses)
    assert progress.best_epoch == losses.index(min(losses)) + 1


# --- against a plain loop ------------------------------------------------------------------------


class Masked(nn.Module):
    """Dropout with a mask that is set from outside."""

    mask = None

    def forward(self, hidden):
        return hidden if self.mask is None else hidden * self.mask


def draw_masks(generator, n, widths, rate):
    """Masks of the hidden layers: 16 bits decide over a unit."""
    if rate == 0:
        return [None for _ in widths]
    size = n * sum(widths)
    draws = torch.empty(-(-size // 4), dtype=torch.int64)
    draws.random_(-(2**63), None, generator=generator)
    bits = draws.numpy().view(np.int16)[:size].astype(int) + 2**15
    keep = torch.tensor(bits >= round(rate * 2**16)).view(n, -1)
    return (keep / (1 - rate)).split(list(widths), 1)


def trained_by_torch(each, seed, x, y):
    """One network by autograd, torch's Adam and torch's scheduler: it, its best epoch, epochs."""
    x, y = torch.tensor(x), torch.tensor(y)
    module = as_module(uniform_mlp(each.layer_sizes, seeds=[seed]).network(0), nn.ReLU, Masked)
    linears = [layer for layer in module if isinstance(layer, nn.Linear)]
    drops = [layer for layer in module if isinstance(layer, Masked)]
    optimizer = torch.optim.Adam(module.parameters(), lr=each.learning_rate)
    scheduler = ReduceLROnPlateau(
        optimizer, patience=each.rate_patience, factor=each.rate_factor, threshold=0, eps=0
    )
    generator = torch.Generator().manual_seed(derived_seed(seed, 1))
    validation, training = torch.randperm(len(x), generator=generator).split(
        [each.n_validation(len(x)), len(x) - each.n_validation(len(x))]
    )
    lowest, best, best_epoch = math.inf, None, 0
    for epoch in range(1, each.max_epochs + 1):
        order = training[torch.randperm(len(training), generator=generator)]
        for chosen in order.split(each.batch_size):
            masks = draw_masks(generator, len(chosen), each.layer_sizes[1:-1], each.dropout_rate)
            for drop, mask in zip(drops, masks, strict=True):
                drop.mask = mask
            loss = nn.functional.cross_entropy(module(x[chosen]), y[chosen])
            for linear in linears:
                loss = loss + each.l1 * linear.weight.abs().sum()
                loss = loss + each.l2 * (linear.weight**2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for drop in drops:
            drop.mask = None
        with torch.no_grad():
            loss = nn.functional.cross_entropy(module(x[validation]), y[validation]).item()
        scheduler.step(loss)
        if loss < lowest:
            lowest, best, best_epoch = loss, copy.deepcopy(module), epoch
        if epoch - best_epoch == each.patience:
            break
    return network_of(best), best_epoch, epoch, lowest


def test_a_batch_of_mixed_settings_is_what_plain_loops_give():
    """Penalties, dropout, Adam, learning-rate steps, early stopping and the state that is kept."""
    seeds = [3, 1, 4, 1, 5, 9]
    found = trained(MIXED, seeds)
    for r, (each, seed) in enumerate(zip(MIXED, seeds, strict=True)):
        network, best_epoch, epochs, loss = trained_by_torch(each, seed, X, Y)
        assert (found.best_epoch[r], found.epochs[r]) == (best_epoch, epochs)
        assert found.validation_loss[r] == pytest.approx(loss, rel=1e-5)
        assert_same_networks(found.networks.network(r), network, rtol=1e-4, atol=1e-6)
    # else the test would not see which state is kept, nor networks that leave
    assert (found.best_epoch < found.epochs).any()
    assert len(found.epochs.unique()) > 2


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_masks_of_the_plain_loop_drop_the_share_they_are_told(rate):
    first, second = draw_masks(torch.Generator().manual_seed(3), 1000, (60, 40), rate)
    assert (first.shape, second.shape) == ((1000, 60), (1000, 40))
    for mask in (first, second):
        assert mask.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
        error = 1 / math.sqrt(mask.numel())
        assert (mask == 0).float().mean() == pytest.approx(rate, abs=4 * error + 1 / 65536)


def test_the_loss_that_is_reported_is_that_of_the_network_that_is_kept():
    for r, seed in enumerate(seeds := [2, 7]):
        found = trained([SMALL, replace(SMALL, l1=0.01, dropout_rate=0.5)], seeds)
        generator = torch.Generator().manual_seed(derived_seed(seed, 1))
        part = torch.randperm(50, generator=generator)[:10]
        logits = found.networks.network(r).logits(torch.tensor(X)[part])
        loss = nn.functional.cross_entropy(logits, torch.tensor(Y)[part])
        assert found.validation_loss[r] == pytest.approx(loss.item(), rel=1e-5)


# --- batches -------------------------------------------------------------------------------------


def test_a_network_of_a_batch_is_the_one_trained_alone():
    """Also while others leave the batch before it."""
    seeds, left = [5, 6, 7, 8, 9, 10], []
    batch = trained(MIXED, seeds, on_epoch=lambda state: left.append(len(state.active)))
    assert left[-1] == 0
    assert len(set(left)) > 3
    assert left == [int((batch.epochs > epoch).sum()) for epoch in range(1, len(left) + 1)]
    for r, seed in enumerate(seeds):
        alone = trained([MIXED[r]], [seed])
        assert_same_networks(
            batch.networks.network(r), alone.networks.network(0), rtol=1e-4, atol=1e-5
        )
        assert (batch.epochs[r], batch.best_epoch[r]) == (alone.epochs[0], alone.best_epoch[0])


@pytest.mark.parametrize("stop", [1, 3, 7, 10])
def test_training_that_was_stopped_goes_on_to_the_same_networks(stop):
    """Also where some networks have left the batch by then."""
    seeds, states = [5, 6, 7, 8, 9, 10], []
    whole = trained(MIXED, seeds, on_epoch=lambda state: states.append(copy.deepcopy(state)))
    assert len(states[0].active) > len(states[-2].active) > 0
    again = trained(MIXED, seeds, state=states[stop - 1])
    assert_same_networks(again.networks, whole.networks)
    for name in ("epochs", "best_epoch", "validation_loss"):
        assert torch.equal(getattr(again, name), getattr(whole, name))


def test_a_finished_training_goes_on_to_its_own_end():
    states = []
    whole = trained(MIXED, range(6), on_epoch=lambda state: states.append(copy.deepcopy(state)))
    assert states[-1].active == []
    assert_same_networks(trained(MIXED, range(6), state=states[-1]).networks, whole.networks)


def test_state_of_other_networks_is_refused():
    states = []
    trained([SMALL], [1], on_epoch=states.append)
    with pytest.raises(ValueError, match=r"state is of seeds \(1,\); allowed: \(2,\)"):
        trained([SMALL], [2], state=states[0])
    # deeper; and of as many parameters, 101
    for sizes in [(7, 6, 5, 50, 3), (7, 9, 2, 3)]:
        words = f"state is of layer_sizes=(7, 6, 5, 3); allowed: {sizes}, those of the settings"
        with pytest.raises(ValueError, match=re.escape(words)):
            trained([replace(SMALL, layer_sizes=sizes)], [1], state=states[0])


def test_training_comes_from_the_seeds_alone():
    with global_random_state_untouched():
        first = trained(MIXED, [1, 2, 3, 4, 5, 6])
    again = trained(MIXED, [1, 2, 3, 4, 5, 6])
    other = trained(MIXED, [1, 2, 3, 40, 5, 6])
    assert_same_networks(first.networks, again.networks)
    assert torch.equal(first.validation_loss, again.validation_loss)
    assert (first.networks.weights[0][3] != other.networks.weights[0][3]).any()


def test_one_seed_gives_one_start_and_one_split_whatever_the_settings():
    """With a rate of almost 0 networks stay as they begin, and their loss is that of the split."""
    still = replace(SMALL, learning_rate=1e-30, max_epochs=1)
    found = trained([still, replace(still, l1=1.0, dropout_rate=0.5)], [4, 4])
    assert_same_networks(found.networks.network(0), found.networks.network(1))
    assert found.validation_loss[0] == found.validation_loss[1]


def test_nothing_to_do_gives_the_fresh_networks():
    untrained = replace(SMALL, max_epochs=0)
    found = trained([untrained, untrained], [1, 2])
    assert_same_networks(found.networks, uniform_mlp(SMALL.layer_sizes, seeds=[1, 2]))
    assert found.epochs.tolist() == found.best_epoch.tolist() == [0, 0]
    mixed = trained([untrained, SMALL], [1, 2])
    assert_same_networks(mixed.networks.network(0), found.networks.network(0))
    assert_same_networks(
        mixed.networks.network(1), trained([SMALL], [2]).networks.network(0), rtol=1e-4, atol=1e-5
    )


def test_a_network_that_breaks_is_as_it_was_initialized():
    found = trained([replace(SMALL, learning_rate=1e38), SMALL], [1, 2])
    assert (found.best_epoch[0], found.epochs[0]) == (0, SMALL.patience)
    assert found.validation_loss[0] == math.inf
    fresh = uniform_mlp(SMALL.layer_sizes, seeds=[1])
    assert_same_networks(found.networks.network(0), fresh.network(0))
    assert found.best_epoch[1] > 0


def test_a_network_without_hidden_layers_has_nothing_to_drop():
    flat = replace(SMALL, layer_sizes=(7, 3))
    found = trained([flat, replace(flat, dropout_rate=0.5)], [1, 1])
    assert_same_networks(found.networks.network(0), found.networks.network(1), rtol=1e-4, atol=1e-5)


# --- penalties -----------------------------------------------------------------------------------


@given(penalty=st.sampled_from(["l1", "l2"]), factor=st.floats(0.01, 10), seed=st.integers(0, 99))
@settings(max_examples=10)
def test_penalties_shrink_weights(penalty, factor, seed):
    plain = replace(SMALL, patience=50, learning_rate=0.003)
    found = trained([plain, replace(plain, **{penalty: factor})], [seed, seed])
    norms = sum(w.flatten(1).abs().sum(1) for w in found.networks.weights)
    assert norms[1] < norms[0]


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_biases_are_not_penalized(penalty):
    """Weights vanish under a heavy penalty; the last biases learn how frequent the classes are."""
    y = np.repeat([0, 1, 2], [100, 60, 40])
    x = rng_of(2).random((200, 7))
    heavy = replace(SMALL, max_epochs=100, patience=100, batch_size=160, **{penalty: 10.0})
    network = trained([heavy], [1], x, y).networks.network(0)
    assert all(weight.abs().max() < 0.1 for weight in network.weights)
    shares = network.logits(torch.tensor(x).float()).softmax(1).mean(0)
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.1)


def test_weights_that_only_a_penalty_moves_become_0():
    """Pixel 2 is black in all images; tiny numbers in the place of 0 would slow a CPU down."""
    y = rng_of(5).integers(0, 3, 200)
    x = rng_of(6).random((200, 7)) + np.eye(7)[y]
    x[:, 2] = 0
    each = replace(
        SMALL, layer_sizes=(7, 3), l2=1e-3, max_epochs=300, patience=300, rate_patience=300
    )
    found = trained([each], [1], x, y)
    (weight,) = found.networks.network(0).weights
    assert not weight[:, 2].any()
    assert (weight[:, [0, 1, 3, 4, 5, 6]].abs() > 1e-6).all()
    expected, best_epoch, *_ = trained_by_torch(each, 1, x.astype(np.float32), y)
    assert expected.weights[0][:, 2].abs().max() < each.learning_rate
    expected.weights[0][:, 2] = 0
    assert_same_networks(found.networks.network(0), expected, rtol=1e-4, atol=1e-6)
    assert found.best_epoch[0] == best_epoch


def test_training_learns():
    """Three classes that a straight line each tells apart."""
    y = rng_of(3).integers(0, 3, 600)
    x = rng_of(4).normal(size=(600, 7)) + 3 * np.eye(7)[y]
    each = replace(SMALL, layer_sizes=(7, 32, 16, 3), max_epochs=30, validation_share=0.1)
    found = trained(
        [each, replace(each, l2=1e-3), replace(each, dropout_rate=0.3)], [1, 2, 3], x, y
    )
    reached = found.networks.accuracy(torch.tensor(x).float(), torch.tensor(y))
    assert (reached > 0.9).all()


# --- at the door ---------------------------------------------------------------------------------


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
    found = trained([SMALL], [2], x, y)
    assert_same_networks(found.networks, trained([SMALL], [2]).networks)


def test_data_are_left_as_they_are():
    x, y = X.copy(), Y.copy()
    x.flags.writeable = y.flags.writeable = False
    trained([SMALL], [1], x, y)
    tensor = torch.tensor(X)
    trained([SMALL], [1], tensor, torch.tensor(Y))
    np.testing.assert_array_equal(tensor, X)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:, :6], Y, r"x has shape \(50, 6\); allowed: \(n, 7\)"),
        (X[0], Y, r"x has shape \(7,\)"),
        (X, Y[:49], r"y has shape \(49,\); allowed: \(50,\)"),
        (X, Y[:, None], r"y has shape \(50, 1\)"),
        (X[:2], np.array([0, 1]), "validation_share=0.2 of 2 images; allowed: some but not all"),
        (X[:0], Y[:0], r"y has shape \(0,\).*n of 1 or more"),
        (np.where(X > 0.99, np.nan, X), Y, "x holds NaN or infinity"),
        (X, Y + 1, "y has labels from 1 to 3; allowed: 0 to 2"),
        (X, Y - 1, "y has labels from -1 to 1"),
    ],
)
def test_data_that_do_not_fit_are_refused_by_name(x, y, message):
    with pytest.raises(ValueError, match=message):
        trained([SMALL], [1], x, y)


@pytest.mark.parametrize(
    ("many", "seeds", "message"),
    [
        ([], [1], "settings has length 0, seeds 1; allowed: the same, 1 or more"),
        ([SMALL], [1, 2], "settings has length 1, seeds 2"),
        ([SMALL, replace(SMALL, batch_size=8)], [1, 2], r"batch_size=\[8, 16\] in one batch"),
        ([SMALL, replace(SMALL, layer_sizes=(7, 3))], [1, 2], "layer_sizes=.* in one batch"),
        ([SMALL, replace(SMALL, validation_share=0.1)], [1, 2], "validation_share=.* the same in"),
        ([replace(SMALL, validation_share=0.999)], [1], "0.999 of 50 images; allowed: some but no"),
    ],
)
def test_settings_that_make_no_batch_are_refused(many, seeds, message):
    with pytest.raises(ValueError, match=message):
        trained(many, seeds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer_sizes", (7,)),
        ("layer_sizes", (7, 0, 3)),
        ("dropout_rate", -0.1),
        ("dropout_rate", 1.0),
        ("dropout_rate", math.nan),
        ("l1", -1e-9),
        ("l1", math.inf),
        ("l2", -1e-9),
        ("l2", math.nan),
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("batch_size", 0),
        ("max_epochs", -1),
        ("patience", 0),
        ("rate_patience", -1),
        ("rate_factor", 0.0),
        ("rate_factor", 1.1),
        ("validation_share", 0.0),
        ("validation_share", 1.0),
    ],
)
def test_settings_refuse_what_they_cannot_mean(name, value):
    with pytest.raises(ValueError, match=f"{name}=.* is not allowed: "):
        RegularizedSettings(**{name: value})


def test_default_settings_are_those_of_paper_c():
    expected = {
        "layer_sizes": (784, 64, 64, 10),
        "dropout_rate": 0.0,
        "l1": 0.0,
        "l2": 0.0,
        "learning_rate": 1e-3,
        "batch_size": 200,
        "max_epochs": 500,
        "patience": 6,
        "rate_patience": 3,
        "rate_factor": 0.25,
        "validation_share": 0.1,
    }
    found = RegularizedSettings()
    assert {field.name: getattr(found, field.name) for field in fields(found)} == expected
    assert found.n_validation(60_000) == 6_000


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu_a_network_of_a_batch_is_the_one_trained_alone():
    batch = train_regularized(X, Y, MIXED, seeds=[5, 6, 7, 8, 9, 10], device="cuda")
    assert batch.networks.weights[0].device.type == "cuda"
    for r, seed in enumerate([5, 6, 7, 8, 9, 10]):
        alone = train_regularized(X, Y, [MIXED[r]], seeds=[seed], device="cuda")
        assert_same_networks(
            batch.networks.to("cpu").network(r),
            alone.networks.to("cpu").network(0),
            rtol=1e-3,
            atol=1e-4,
        )
