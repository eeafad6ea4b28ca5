"""Activations of units: against hooks, with both norms, and in chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import rng_of
from torch import nn

from modclust_utils.activations import input_correlations, unit_activations


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 3, (2, 3)), nn.ReLU(inplace=True),
        nn.Flatten(), nn.Linear(3 * 3 * 2, 5), nn.ReLU(), nn.Linear(5, 2),
    )  # fmt: skip


X = torch.tensor(rng_of(0).normal(size=(9, 1, 6, 6)), dtype=torch.float32)


def by_hooks(network, name):
    kept = []
    hook = network[int(name)].register_forward_hook(lambda _, __, out: kept.append(out.clone()))
    network(X)
    hook.remove()
    return kept[0].detach().numpy()


@pytest.mark.parametrize("memory", [2**28, 1])
def test_activations_are_those_in_front_of_the_relu(memory, monkeypatch):
    monkeypatch.setattr("modclust_utils.passes._MEMORY", memory)
    network = small_network()
    maps, dense = by_hooks(network, "2"), by_hooks(network, "5")
    for norm in ("l1", "induced_l1"):
        found = unit_activations(network, X, ["5", "2"], norm=norm)
        assert found.shape == (9, 5 + 3)
        np.testing.assert_allclose(found[:, :5], dense, rtol=1e-5, atol=1e-6)
        for image in range(9):
            for channel in range(3):
                values = maps[image, channel]
                expected = np.abs(values).sum() if norm == "l1" else np.linalg.norm(values, 1)
                assert found[image, 5 + channel] == pytest.approx(expected, rel=1e-5)


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match="layers has '9', which is no submodule"):
        unit_activations(small_network(), X, ["9"])
    with pytest.raises(ValueError, match="norm='l2' is not allowed"):
        unit_activations(small_network(), X, ["2"], norm="l2")
    with pytest.raises(ValueError, match=r"x is torch\.float64"):
        unit_activations(small_network(), X.double(), ["2"])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_has_no_activation(bad):
    network = small_network()
    with torch.no_grad():
        network[5].weight[0, 0] = bad
    with pytest.raises(ValueError, match="what 5 put out holds NaN or infinity"):
        unit_activations(network, X, ["5"])
    with pytest.raises(ValueError, match="what 5 put out holds NaN or infinity"):
        input_correlations(network, X, "5")


@pytest.mark.parametrize("scale", [1e-200, 1e200, 1e306])
def test_correlations_in_double_precision_are_those_of_any_scale(scale):
    network = nn.Sequential(nn.Linear(6, 3, bias=False).double(), nn.ReLU())
    x = X[:, 0, 0].double()
    found = input_correlations(network, x * scale, "0")
    np.testing.assert_allclose(found, input_correlations(network, x, "0"), rtol=1e-9)
    if scale > 1:
        with pytest.raises(ValueError, match="in single precision holds NaN or infinity"):
            unit_activations(network, x * scale, ["0"])


def test_correlations_are_those_of_numpy():
    network = small_network()
    found = input_correlations(network, X, "2")
    units = unit_activations(network, X, ["2"]).astype(float)
    pixels = X.flatten(1).double().numpy()
    expected = np.abs(np.corrcoef(units.T, pixels.T)[: units.shape[1], units.shape[1] :])
    assert found.shape == (3, 36)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_what_does_not_change_has_no_correlation():
    network, x = nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU()), X[:, 0, 0, :4].clone()
    with torch.no_grad():
        network[0].weight[1] = 0
    x[:, 2] = 0.1  # whose mean is rounded
    found = input_correlations(network, x, "0")
    assert not found[1].any()
    assert not found[:, 2].any()
    assert (found[[0, 2]][:, [0, 1, 3]] > 0).all()


def test_correlations_do_not_hang_on_scales_or_on_the_order_of_images():
    network = nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    x = X[:, 0, 0]
    found = input_correlations(network, x, "0")
    assert (found <= 1 + 1e-12).all()
    np.testing.assert_allclose(input_correlations(network, x.flip(0), "0"), found, atol=1e-6)
    with torch.no_grad():
        network[0].weight *= -7
    np.testing.assert_allclose(input_correlations(network, x, "0"), found, atol=1e-6)
