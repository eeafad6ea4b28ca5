"""Similarities of units: numbers by hand, finite differences, closed forms against autograd."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import global_random_state_untouched, rng_of
from perceptrons import SIZES, as_module, random_mlp
from torch import nn

from modclust_utils import similarity
from modclust_utils.models import MLP
from modclust_utils.similarity import MEASURES, normalize, similarities

READINGS = ("of_mean", "mean_of")
SHAPES = st.sampled_from([SIZES, (5, 12, 3), (3, 20, 4, 2), (20, 1, 6, 1, 2), (4, 3, 1)])


def images(sizes, n, seed, dtype=torch.float64):
    rng = rng_of(seed)
    x = torch.tensor(rng.normal(size=(n, sizes[0]))).to(dtype)
    return x, torch.tensor(rng.integers(sizes[-1], size=n))


def measure(name, network, x, y, layer, **options):
    labels = (y,) if name == "loss_hessian" else ()
    return getattr(similarity, name)(network, x, *labels, layer, **options)


def assert_same(found, expected, atol=1e-12):
    assert found.keys() == expected.keys()
    for name, matrix in expected.items():
        scale = 1 + float(matrix.abs().max())
        torch.testing.assert_close(found[name], matrix, rtol=0, atol=atol * scale, msg=name)


# --- numbers by hand -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["closed", "autograd"])
def test_one_hidden_layer_by_hand(method):
    """Activations (1, 3), (2, 0), (3, 2), around the mean (2, 5/3); first logit less second: 0,
    5, 0."""
    network = MLP(
        [torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([[1.0, -1.0], [2.0, 1.0]])],
        [torch.zeros(2), torch.tensor([7.0, 0.0])],
    )
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    y = torch.tensor([0, 1, 0])
    # p₁ p₂ of the three images
    spread = (1 / 4 + math.exp(5) / (1 + math.exp(5)) ** 2 + 1 / 4) / 3
    expected = {
        "covariance": [[2 / 3, 1 / 3], [1 / 3, 14 / 9]],
        # W₁ W₁ᵀ = [[5, 1], [1, 10]]; the second unit is off for the second image
        "input_sensitivity": [[5, 2 / 3], [2 / 3, 20 / 3]],
        "output_sensitivity": [[5, 1], [1, 2]],
        # the rows of W₂ differ by (-1, -2)
        "loss_hessian": [[spread, 2 * spread], [2 * spread, 4 * spread]],
    }
    expected = {name: torch.tensor(rows).double() for name, rows in expected.items()}
    found = similarities(network, x, y, 1, method=method)
    assert_same(found, expected, atol=1e-6)
    # (4/3 + 0 + 1/3) / 3; in the others no image has another sign than the rest
    expected["covariance"][[0, 1], [1, 0]] = 5 / 9
    assert_same(similarities(network, x, y, 1, method=method, absolute="mean_of"), expected, 1e-6)


@pytest.mark.parametrize("method", ["closed", "autograd"])
def test_sensitivities_with_two_hidden_layers_by_hand(method):
    """The first image switches all four units on, the second all but the last, the third all but
    the first."""
    network = MLP(
        [torch.eye(2), torch.tensor([[1.0, 1.0], [2.0, -1.0]]), torch.eye(2)],
        [torch.zeros(2), torch.tensor([0.0, 4.0]), torch.zeros(2)],
    )
    x = torch.tensor([[2.0, 1.0], [1.0, 7.0], [-1.0, 1.0]])
    # [[2, 1], [1, 5]], [[2, 0], [0, 0]], [[1, -1], [-1, 1]]
    for absolute, off in (("of_mean", 0), ("mean_of", 2 / 3)):
        found = similarity.input_sensitivity(network, x, 2, absolute=absolute, method=method)
        assert found.flatten().tolist() == pytest.approx([5 / 3, off, off, 2])
    # [[5, -1], [-1, 2]], [[1, 1], [1, 1]], [[5, -1], [-1, 2]]: a unit that is off still leads on
    for absolute, off in (("of_mean", 1 / 3), ("mean_of", 1)):
        found = similarity.output_sensitivity(network, x, 1, absolute=absolute, method=method)
        assert found.flatten().tolist() == pytest.approx([11 / 3, off, off, 5 / 3])


# --- finite differences --------------------------------------------------------------------------


def hidden_of(modules, layer):
    """The modules up to a hidden layer, and those after it."""
    return modules[: 2 * layer], modules[2 * layer :]


def shifted(point, step):
    """``(2, n, n)``: the point with each of its n numbers moved up, and down."""
    moves = step * torch.eye(len(point), dtype=point.dtype)
    return torch.stack([point + moves, point - moves])


def jacobian_by_differences(function, point, step=1e-6):
    up, down = function(shifted(point, step))
    return (up - down).T / (2 * step)


def hessian_by_differences(function, point, step=1e-4):
    """Of a scalar function of the last axis, from four points for each pair of numbers."""
    moves = step * torch.eye(len(point), dtype=point.dtype)
    grid = {
        (a, b): function(point + a * moves[:, None] + b * moves) for a in (1, -1) for b in (1, -1)
    }
    return (grid[1, 1] - grid[1, -1] - grid[-1, 1] + grid[-1, -1]) / (4 * step**2)


def by_differences(modules, x, y, layer, absolute):
    head, tail = hidden_of(modules, layer)
    hidden = head(x)
    centred = hidden - hidden.mean(0)
    terms = {name: [] for name in MEASURES}
    for image, point, label, own in zip(x, hidden, y, centred, strict=True):
        of_input = jacobian_by_differences(head, image)
        of_output = jacobian_by_differences(tail, point)
        terms["covariance"].append(own.outer(own))
        terms["input_sensitivity"].append(of_input @ of_input.T)
        terms["output_sensitivity"].append(of_output.T @ of_output)
        terms["loss_hessian"].append(
            hessian_by_differences(lambda h, k=label: -tail(h).log_softmax(-1)[..., k], point)
        )
    stacked = {name: torch.stack(matrices) for name, matrices in terms.items()}
    if absolute == "of_mean":
        return {name: matrices.mean(0).abs() for name, matrices in stacked.items()}
    return {name: matrices.abs().mean(0) for name, matrices in stacked.items()}


@pytest.mark.parametrize("absolute", READINGS)
@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize(
    ("activation", "method"),
    [(nn.ReLU, "closed"), (nn.ReLU, "autograd"), (nn.Tanh, "autograd"), (nn.GELU, "auto")],
)
@torch.no_grad()
def test_derivatives_equal_finite_differences(activation, method, layer, absolute):
    modules = as_module(random_mlp(SIZES, 30), activation)
    x, y = images(SIZES, 12, 31)
    found = similarities(modules, x, y, layer, absolute=absolute, method=method)
    assert_same(found, by_differences(modules, x, y, layer, absolute), atol=1e-6)


# --- closed forms --------------------------------------------------------------------------------


@given(
    sizes=SHAPES,
    absolute=st.sampled_from(READINGS),
    n_images=st.integers(1, 30),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_closed_forms_equal_autograd(sizes, absolute, n_images, seed, data):
    layer = data.draw(st.integers(1, len(sizes) - 2))
    network = random_mlp(sizes, seed)
    x, y = images(sizes, n_images, seed + 1)
    found, expected = (
        similarities(network, x, y, layer, absolute=absolute, method=method)
        for method in ("closed", "autograd")
    )
    assert_same(found, expected)


@pytest.mark.parametrize("absolute", READINGS)
@pytest.mark.parametrize("layer", [1, 2])
def test_closed_forms_in_single_precision_are_as_good_as_it(layer, absolute):
    sizes = (50, 30, 20, 10)
    network, exact = (random_mlp(sizes, 1, dtype=d) for d in (torch.float32, torch.float64))
    x, y = images(sizes, 1000, 2, torch.float32)
    found = similarities(network, x, y, layer, absolute=absolute)
    assert_same(found, similarities(exact, x.double(), y, layer, absolute=absolute), atol=2e-6)


def test_a_common_offset_of_the_activations_costs_no_digits():
    """Variances of 1/12 around 1000, where the mean of squares has none of their digits left."""
    network = MLP([torch.eye(3), torch.eye(3)], [torch.full((3,), 1000.0), torch.zeros(3)])
    steps = torch.arange(4096).remainder(256) / 256  # exact beside 1000 in single precision
    x = steps[:, None].expand(-1, 3).contiguous()
    # sums of so few squares are exact in single precision, in whatever order they are added
    found = similarity.covariance(network, x, 1, chunk_size=128)
    exact = (256**2 - 1) / (12 * 256**2)
    assert found.flatten().tolist() == pytest.approx([exact] * 9, rel=1e-6)


@pytest.mark.parametrize("method", ["closed", "autograd"])
def test_labels_cancel_in_a_relu_network_and_count_in_others(method):
    network = random_mlp(SIZES, 3)
    x, y = images(SIZES, 20, 4)
    other = (y + 1) % SIZES[-1]
    one, two = (similarity.loss_hessian(network, x, k, 1, method=method) for k in (y, other))
    torch.testing.assert_close(one, two)
    tanh = as_module(network, nn.Tanh)
    one, two = (similarity.loss_hessian(tanh, x, k, 1) for k in (y, other))
    assert (one - two).abs().max() > 0.01


# --- what holds for all of them ------------------------------------------------------------------


@given(sizes=SHAPES, n_images=st.integers(1, 20), seed=st.integers(0, 2**32), data=st.data())
def test_similarities_are_symmetric_and_the_means_of_absolute_values_larger(
    sizes, n_images, seed, data
):
    layer = data.draw(st.integers(1, len(sizes) - 2))
    method = data.draw(st.sampled_from(["closed", "autograd"]))
    network = random_mlp(sizes, seed)
    x, y = images(sizes, n_images, seed + 1)
    of_mean, mean_of = (
        similarities(network, x, y, layer, absolute=a, method=method) for a in READINGS
    )
    assert tuple(of_mean) == tuple(mean_of) == MEASURES
    for name in MEASURES:
        small, large = of_mean[name], mean_of[name]
        slack = 1e-12 * (1 + large.max())
        for matrix in (small, large):
            assert matrix.dtype == torch.float64
            assert matrix.shape == (sizes[layer], sizes[layer])
            assert torch.equal(matrix, matrix.T)
            assert (matrix >= 0).all()
        assert (small <= large + slack).all()
        torch.testing.assert_close(small.diagonal(), large.diagonal(), rtol=0, atol=float(slack))


@pytest.mark.parametrize("absolute", READINGS)
def test_readings_agree_where_all_images_have_the_same_sign(absolute):
    network = random_mlp(SIZES, 5)
    x, y = images(SIZES, 25, 6)
    of_mean, mean_of = (
        [similarities(network, x, y, layer, absolute=a) for layer in (1, 2, 3)] for a in READINGS
    )
    agree = {
        (name, layer)
        for layer, (one, two) in enumerate(zip(of_mean, mean_of, strict=True), 1)
        for name in MEASURES
        if torch.allclose(one[name], two[name])
    }
    assert agree == {("input_sensitivity", 1), ("output_sensitivity", 3)}


def test_products_of_one_sign_are_positive_semidefinite():
    """Where no weight is negative, the absolute value changes nothing of J Jᵀ and Jᵀ J."""
    network = random_mlp(SIZES, 7)
    network = MLP([w.abs() for w in network.weights], network.biases)
    x, y = images(SIZES, 5, 8)
    for layer in (1, 2, 3):
        found = similarities(network, x, y, layer)
        for name in ("input_sensitivity", "output_sensitivity"):
            values = torch.linalg.eigvalsh(found[name])
            assert values.min() > -1e-12 * values.max()
            assert values.max() > 0


@pytest.mark.parametrize("absolute", READINGS)
@pytest.mark.parametrize("method", ["closed", "autograd"])
def test_a_unit_that_is_never_on_is_like_none_upstream(method, absolute):
    network = random_mlp(SIZES, 9)
    network.biases[1][3] = -1e6
    found = similarities(network, *images(SIZES, 15, 10), 2, absolute=absolute, method=method)
    for name in ("covariance", "input_sensitivity"):
        assert not found[name][3].any()
        assert found[name].diagonal().count_nonzero() > 1
    # what its activation would change does not depend on whether it ever has one
    for name in ("output_sensitivity", "loss_hessian"):
        assert (found[name].diagonal() > 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("absolute", READINGS)
def test_a_unit_that_never_changes_varies_with_none_to_the_last_digit(absolute, dtype):
    """Rounding that is left there would look like similarity once it is normalized."""
    network = random_mlp(SIZES, 29, dtype=dtype)
    network.weights[1][[3, 5]] = 0
    network.biases[1][[3, 5]] = torch.tensor([0.1, 0.7], dtype=dtype)
    x, _ = images(SIZES, 1003, 30, dtype)
    found = similarity.covariance(network, x, 2, absolute=absolute, chunk_size=17)
    assert not found[[3, 5]].any()


@pytest.mark.parametrize("absolute", READINGS)
@pytest.mark.parametrize("method", ["closed", "autograd"])
def test_a_unit_that_leads_nowhere_is_like_none_downstream(method, absolute):
    network = random_mlp(SIZES, 11)
    network.weights[2][:, 3] = 0
    found = similarities(network, *images(SIZES, 15, 12), 2, absolute=absolute, method=method)
    for name in ("output_sensitivity", "loss_hessian"):
        assert not found[name][3].any()
        assert found[name].diagonal().count_nonzero() == SIZES[2] - 1
    for name in ("covariance", "input_sensitivity"):
        assert found[name][3, 3] > 0


# --- networks and images -------------------------------------------------------------------------


@pytest.mark.parametrize("absolute", READINGS)
@pytest.mark.parametrize("method", ["closed", "autograd"])
@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("chunk_size", [1, 7, 20, 1000])
def test_result_does_not_depend_on_what_goes_through_at_once(chunk_size, layer, method, absolute):
    network = random_mlp(SIZES, 13)
    x, y = images(SIZES, 20, 14)
    options = {"absolute": absolute, "method": method}
    found = similarities(network, x, y, layer, chunk_size=chunk_size, **options)
    assert_same(found, similarities(network, x, y, layer, **options))


@pytest.mark.parametrize("method", ["closed", "autograd"])
@pytest.mark.parametrize("layer", [1, 3])
def test_a_batch_gives_what_its_networks_give_one_by_one(layer, method):
    batch = random_mlp(SIZES, 15, batch=(3,))
    x, y = images(SIZES, 20, 16)
    together = similarities(batch, x, y, layer, method=method)
    for r in range(3):
        alone = similarities(batch.network(r), x, y, layer, method=method)
        assert_same({name: s[r] for name, s in together.items()}, alone)
    assert together["covariance"].shape == (3, SIZES[layer], SIZES[layer])


@pytest.mark.parametrize("network", [random_mlp(SIZES, 17), random_mlp(SIZES, 17, batch=(2,))])
@pytest.mark.parametrize("absolute", READINGS)
def test_measures_one_by_one_are_those_of_all_together(network, absolute):
    x, y = images(SIZES, 20, 18)
    together = similarities(network, x, y, 2, absolute=absolute)
    for name in MEASURES:
        assert torch.equal(measure(name, network, x, y, 2, absolute=absolute), together[name])


@pytest.mark.parametrize("method", ["auto", "closed", "autograd"])
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_modules_give_what_the_plain_network_gives_and_dropout_counts_for_nothing(layer, method):
    network = random_mlp(SIZES, 19)
    x, y = images(SIZES, 20, 20)
    expected = similarities(network, x, y, layer)
    modules = as_module(network, nn.ReLU, partial(nn.Dropout, 0.5)).train()
    before = {name: value.clone() for name, value in modules.state_dict().items()}
    with global_random_state_untouched():
        found = similarities(modules, x, y, layer, method=method)
    assert_same(found, expected)
    assert not any(s.requires_grad for s in found.values())
    assert all(module.training for module in modules.modules())
    for name, value in modules.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("method", ["closed", "autograd"])
def test_modules_may_be_nested_and_have_no_bias(method):
    network = random_mlp((6, 5, 4, 3), 21)
    network = MLP(network.weights, [torch.zeros_like(b) for b in network.biases])
    one, relu, two, *rest = as_module(network)
    two.bias = None
    nested = nn.Sequential(nn.Sequential(one, nn.Dropout(0.9), relu), nn.Sequential(two, *rest))
    x, y = images((6, 3), 9, 22)
    assert_same(similarities(nested, x, y, 2, method=method), similarities(network, x, y, 2))


def test_other_modules_are_as_in_evaluation():
    """Batch norm with the statistics it has, which is a Linear with other weights."""
    network = random_mlp((6, 5, 4, 3), 23)
    one, relu, *rest = as_module(network, nn.Tanh)
    norm = nn.BatchNorm1d(5, eps=0.0, dtype=torch.float64)
    norm.running_mean += 2.0
    norm.running_var *= 4.0
    folded = MLP(
        [network.weights[0] / 2, *network.weights[1:]],
        [(network.biases[0] - 2.0) / 2, *network.biases[1:]],
    )
    x, y = images((6, 3), 9, 24)
    found = similarities(nn.Sequential(one, norm, relu, *rest), x, y, 1)
    assert_same(found, similarities(as_module(folded, nn.Tanh), x, y, 1))
    assert norm.training
    assert norm.num_batches_tracked == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": 0}, "layer=0 is not allowed: a whole number of 1"),
        ({"layer": 4}, "layer=4 is not allowed: 1 to 3"),
        ({"layer": 1.0}, r"layer=1\.0 is not allowed"),
        ({"layer": True}, "layer=True is not allowed"),
        ({"absolute": "both"}, "absolute='both' is not allowed: 'of_mean' or 'mean_of'"),
        ({"method": "fast"}, "method='fast' is not allowed: 'auto' or 'closed' or 'autograd'"),
        ({"chunk_size": 0}, "chunk_size=0 is not allowed"),
        ({"chunk_size": 2.5}, r"chunk_size=2\.5 is not allowed"),
        ({"x": torch.zeros(9, 5).double()}, r"x has shape \(9, 5\); allowed: \(n, 6\)"),
        ({"x": torch.zeros(6).double()}, r"x has shape \(6,\)"),
        ({"x": torch.zeros(0, 6).double()}, r"x has shape \(0, 6\)"),
        ({"x": torch.zeros(9, 6)}, r"x is torch\.float32 on cpu; allowed: torch\.float64"),
        ({"x": torch.full((9, 6), math.nan).double()}, "x holds NaN or infinity"),
        ({"x": torch.full((9, 6), -math.inf).double()}, "x holds NaN or infinity"),
        ({"y": torch.zeros(8).long()}, r"y has shape \(8,\)"),
        ({"y": torch.zeros(9)}, r"y has .* torch\.float32"),
        ({"y": torch.zeros(9).bool()}, r"y has .* torch\.bool"),
        ({"y": torch.full((9,), 4)}, "y has labels from 4 to 4; allowed: 0 to 3"),
        ({"y": torch.full((9,), -1)}, "y has labels from -1"),
        ({"network": nn.Linear(6, 4)}, "network is of type Linear; allowed: MLP or .*Sequential"),
        ({"network": random_mlp((6, 4), 0)}, "network has no hidden layer"),
        ({"network": nn.Sequential()}, r"network is made of \[\]"),
        (
            {"network": random_mlp(SIZES, 0, dtype=torch.bfloat16)},
            r"network has weights of shape \(9, 6\) in torch\.bfloat16; allowed: .* float32",
        ),
        (
            {
                "network": MLP(
                    [torch.ones(0, 9, 6), torch.ones(0, 4, 9)], [torch.ones(0, 9), torch.ones(0, 4)]
                )
            },
            r"weights of shape \(0, 9, 6\) in",
        ),
        (
            {"network": random_mlp(SIZES, 0, batch=(2, 3))},
            r"network has weights of shape \(2, 3, 9, 6\) in .*; allowed: .*\(R, n_out, n_in\)",
        ),
        (
            {"network": as_module(random_mlp(SIZES, 0)).append(nn.Softmax(1))},
            r"network is made of \['Linear', .* 'Softmax'\]; allowed: Linear as the first and",
        ),
        (
            {"network": as_module(random_mlp(SIZES, 0), nn.Tanh), "method": "closed"},
            "network is made of .*'Tanh'.* method='closed' does not take",
        ),
        (
            {
                "network": nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4), nn.ReLU())
                .append(nn.Linear(4, 4))
                .double(),
                "method": "closed",
            },
            "network is made of .* method='closed' does not take; allowed: Linear, ReLU",
        ),
    ],
)
def test_similarities_refuse_bad_input_by_name(changes, message):
    options = {
        "network": random_mlp(SIZES, 0),
        "x": torch.zeros(9, 6).double(),
        "y": torch.zeros(9).long(),
        "layer": 1,
    } | changes
    with pytest.raises(ValueError, match=message):
        similarities(**options)


LAYERS = (nn.Linear(4, 6), nn.Linear(5, 2), nn.Linear(3, 2))


@pytest.mark.parametrize("method", ["auto", "autograd"])
@pytest.mark.parametrize(
    ("modules", "message"),
    [
        # made for 5 units, and given 3 or 6
        ([nn.Linear(4, 3), nn.ReLU(), LAYERS[1]], "network takes no image|activations of shape"),
        ([LAYERS[0], LAYERS[1]], "network takes no image|activations of shape"),
        # an odd number of units has no halves
        ([nn.Linear(4, 3), nn.GLU(), nn.Linear(3, 2)], "network takes no image .*[Hh]alving"),
        # 6 units, of which the next layer is given two rows of 3
        (
            [LAYERS[0], nn.Unflatten(1, (2, 3)), LAYERS[2]],
            r"network has activations of shape \(2, 3\) in layer 1; allowed: \(3,\)",
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused_by_name(modules, message, method):
    network = nn.Sequential(*modules)
    with pytest.raises(ValueError, match=message):
        similarities(network, torch.ones(2, 4), torch.zeros(2).long(), 1, method=method)


def test_layers_that_halve_the_units_fit():
    network = nn.Sequential(LAYERS[0], nn.GLU(), LAYERS[2])
    found = similarities(network, torch.ones(2, 4), torch.zeros(2).long(), 1)
    assert {tuple(s.shape) for s in found.values()} == {(3, 3)}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["weights", "biases"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_weights_that_are_no_numbers_are_refused(value, name, batch):
    network = random_mlp(SIZES, 0, batch=batch)
    getattr(network, name)[1][..., 2] = value
    x, y = images(SIZES, 3, 25)
    with pytest.raises(ValueError, match=f"network in {name} holds NaN or infinity"):
        similarities(network, x, y, 1)
    if not batch:
        with pytest.raises(ValueError, match=r"network in [024]\.(weight|bias) holds NaN or"):
            similarities(as_module(network, nn.Tanh), x, y, 1)


@pytest.mark.parametrize("place", [0, 500, 999])
def test_a_single_nan_in_x_is_found(place):
    x, y = images(SIZES, 1000, 25)
    x[place, 3] = math.nan
    with pytest.raises(ValueError, match="x holds NaN"):
        similarities(random_mlp(SIZES, 0), x, y, 1)


# --- normalization -------------------------------------------------------------------------------


def test_normalization_by_hand():
    s = torch.tensor([[4.0, 2.0, 0.0], [2.0, 9.0, 0.0], [0.0, 0.0, 0.0]]).double()
    by_max = [[1, 2 / 9, 0], [2 / 9, 1, 0], [0, 0, 0]]
    by_sqrt = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]]
    torch.testing.assert_close(normalize(s), torch.tensor(by_max).double())
    torch.testing.assert_close(normalize(s, by="sqrt"), torch.tensor(by_sqrt).double())
    # eps is what small numbers are compared with
    torch.testing.assert_close(normalize(s, eps=8.0)[0], torch.tensor([0.5, 2 / 9, 0]).double())


def test_normalization_takes_arrays_and_batches():
    s = rng_of(26).random((2, 5, 4, 4))
    s = s + s.swapaxes(-1, -2)
    s.flags.writeable = False
    for by in ("max", "sqrt"):
        found = normalize(s, by=by)
        assert found.dtype == torch.float64
        for index in np.ndindex(2, 5):
            assert torch.equal(found[index], normalize(torch.tensor(s[index]), by=by))


def test_small_similarities_are_normalized_by_their_roots_all_the_same():
    found = normalize(np.full((2, 2), 1e-200), by="sqrt")
    torch.testing.assert_close(found, torch.ones(2, 2).double())


@given(sizes=SHAPES, absolute=st.sampled_from(READINGS), seed=st.integers(0, 2**32))
def test_normalized_similarities_lie_between_0_and_1(sizes, absolute, seed):
    network = random_mlp(sizes, seed)
    x, y = images(sizes, 10, seed + 1)
    for s in similarities(network, x, y, 1, absolute=absolute).values():
        by_max, by_sqrt = (normalize(s, by=by) for by in ("max", "sqrt"))
        # by Cauchy and Schwarz, and because the larger of two numbers is not below their root
        assert (by_max <= by_sqrt + 1e-9).all()
        assert (by_sqrt <= 1 + 1e-9).all()
        live = s.diagonal() > 0
        torch.testing.assert_close(by_sqrt.diagonal(), live.double())


@pytest.mark.parametrize(
    ("s", "options", "message"),
    [
        (torch.ones(2, 2), {"by": "mean"}, "by='mean' is not allowed: 'max' or 'sqrt'"),
        (torch.ones(2, 2), {"eps": 0.0}, r"eps=0\.0 is not allowed"),
        (torch.ones(2, 2), {"eps": math.nan}, "eps=nan is not allowed"),
        (torch.ones(2, 3), {}, r"s has shape \(2, 3\)"),
        (torch.ones(4), {}, r"s has shape \(4,\)"),
        (-torch.eye(2), {}, "s has entries that are negative"),
        (torch.full((2, 2), math.nan), {}, "s has entries that are .* NaN"),
        ([[1.0, 2.0], [3.0, 4.0]], {}, "s is not symmetric; allowed: the same for i, j and j, i"),
        (torch.full((2, 2), math.inf), {"by": "sqrt"}, "s has entries that are .* infinite"),
    ],
)
def test_normalization_refuses_bad_input_by_name(s, options, message):
    with pytest.raises(ValueError, match=message):
        normalize(s, **options)


# --- on a GPU ------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("method", ["closed", "autograd"])
def test_similarities_on_a_gpu_stay_there_and_equal_those_on_the_cpu(method):
    network = random_mlp(SIZES, 27)
    x, y = images(SIZES, 30, 28)
    found = similarities(network.to("cuda"), x.to("cuda"), y.to("cuda"), 2, method=method)
    assert all(s.device.type == "cuda" for s in found.values())
    expected = similarities(network, x, y, 2, method=method)
    assert_same({name: s.cpu() for name, s in found.items()}, expected)
