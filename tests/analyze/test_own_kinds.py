"""Kinds of record about networks of one's own: what they hold, and when two of them agree."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from own_networks import planted
from torch import nn

from modclust_utils.own.architectures import Given, Maker
from modclust_utils.recipes import layer_edges, rescaled_ncuts
from modclust_utils.recipes.base import Task, Value
from modclust_utils.recipes.classifier import state_arrays

WORK = SimpleNamespace(device="cpu", step=lambda: None)
ASKED = {"network": "0f", "n_clusters": 2, "n_draws": 4, "norm": "l1", "n_init": 3, "seed": 0}


def rescaled(network: nn.Module, spread: float) -> Value:
    (value,) = rescaled_ncuts.compute([_task(network, spread)], WORK)
    return value


def _task(network: nn.Module, spread: float) -> Task:
    return Task(
        {**ASKED, "spread": spread},
        needs={"network": SimpleNamespace(parameters={})},
        kept=state_arrays(network),
        architecture=Maker(Given(network), (network[0].in_features,)),
    )


def test_without_rescaling_all_is_as_given():
    value = rescaled(planted(), 1.0).value
    assert value["agreements"] == [1.0] * 4
    np.testing.assert_allclose(value["rescaled_ncuts"], value["ncut"], atol=1e-5)


def test_units_without_edges_are_no_cluster_that_stays():
    """Nine in ten units are images that lead nowhere; among the others nothing stays."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(280, 12), nn.ReLU(), nn.Linear(12, 12))
    network[0].weight.data[:, 12:] = 0
    assert np.mean(rescaled(network, 1e4).value["agreements"]) < 0.6


@pytest.mark.parametrize(
    ("recipe", "value", "other"),
    [
        (
            rescaled_ncuts,
            {"ncut": 0.4, "rescaled_ncuts": [0.5, 0.6]},
            {"ncut": 0.4, "rescaled_ncuts": [0.5, 0.7]},
        ),
        (
            layer_edges,
            {"inside": [0.5, None], "expected": [0.25, None]},
            {"inside": [0.6, None], "expected": [0.25, None]},
        ),
    ],
)
def test_records_agree_with_themselves_and_not_with_others(recipe, value, other):
    record = SimpleNamespace(value=value, parameters=ASKED)
    assert recipe.agree(record, Value(value))[0]
    assert not recipe.agree(record, Value(other))[0]
