"""Networks from the names and shapes of their weights alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from modclust_utils.datasets import DataError
from modclust_utils.graphs import network_graph
from modclust_utils.own.plain import natural, plain_network
from modclust_utils.pretrained.architectures import cifar_resnet


def built(state) -> tuple[nn.Sequential, tuple[str, ...]]:
    plain, tensors, notes = plain_network(state)
    module = plain()
    missing, unknown = module.load_state_dict(tensors, strict=False)
    assert not unknown
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return module.eval(), notes


def test_plain_perceptron_computes_what_the_original_does():
    torch.manual_seed(0)
    original = nn.Sequential(
        nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4), nn.ReLU(), nn.Linear(4, 3)
    )
    module, notes = built(original.state_dict())
    x = torch.rand(6, 5)
    torch.testing.assert_close(module(x), original(x))
    assert "Linear 0 (7, 5), Linear 2 (4, 7), Linear 4 (3, 4)" in notes[0]
    assert notes[-1].startswith("Assumed")


def test_layers_are_ordered_by_the_numbers_in_their_names():
    """As a file of safetensors gives them, which sorts fc10 before fc2."""
    sizes = range(3, 15)
    state = {f"fc{i}.weight": torch.rand(n + 1, n) for i, n in enumerate(sizes)}
    module, _ = built({name: state[name] for name in sorted(state)})
    assert [each.in_features for each in module if isinstance(each, nn.Linear)] == [*sizes]
    assert sorted(["fc10", "fc2"], key=natural) == ["fc2", "fc10"]


def test_convolutions_have_the_graph_of_the_original():
    torch.manual_seed(1)
    original = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU(), nn.Conv2d(8, 6, 1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)),
    )
    original[1].running_var.uniform_(0.5, 2)
    module, notes = built(original.state_dict())
    own, theirs = (
        network_graph(each.eval(), torch.zeros(1, 3, 16, 16)) for each in (module, original)
    )
    np.testing.assert_allclose(own.adjacency.toarray(), theirs.adjacency.toarray())
    assert "Batch norms: 1 behind 0." in notes
    assert module(torch.rand(2, 3, 16, 16)).shape == (2, 4)


def test_batch_norms_go_behind_the_layer_of_their_number_and_size():
    state = {f"conv{i}.weight": torch.rand(4, 4, 3, 3) for i in (1, 2, 3)}
    for i in (2, 3):
        state |= {f"bn{i}.{what}": torch.ones(4) for what in ("running_mean", "running_var")}
    _, notes = built({name: state[name] for name in sorted(state)})
    assert "Batch norms: bn2 behind conv2, bn3 behind conv3." in notes


def test_arrays_of_keras_are_turned():
    rng = np.random.default_rng(0)
    weights = [rng.random(shape) for shape in ((4, 6), (6, 5), (5, 2))]
    biases = [rng.random(n) for n in (6, 5, 2)]
    state = {f"w{i}": torch.from_numpy(w) for i, w in enumerate(weights)}
    state |= {f"b{i}": torch.from_numpy(b) for i, b in enumerate(biases)}
    module, notes = built(state)
    x = rng.random((3, 4))
    expected = x
    for w, b in zip(weights, biases, strict=True):
        expected = np.maximum(expected, 0) @ w + b
    found = module.double()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert any("turned" in note for note in notes)


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({"ln.weight": (8,), "ln.bias": (8,), "fc.weight": (4, 8)}, "'ln' holds weight"),
        ({"a.weight": (4, 8), "b.weight": (3, 5)}, r"Linear b \(3, 5\) does not follow"),
        ({"conv.weight": (4, 3, 5)}, "'conv' holds weight"),
    ],
)
def test_what_names_and_shapes_do_not_tell_is_named_with_what_would_help(state, named):
    tensors = {name: torch.rand(shape) for name, shape in state.items()}
    with pytest.raises(DataError, match=named) as error:
        plain_network(tensors)
    assert "--architecture" in str(error.value)


def test_batch_norm_that_fits_no_layer_is_refused():
    tensors = {"fc.weight": torch.rand(3, 2)}
    tensors |= {f"bn.{what}": torch.ones(5) for what in ("running_mean", "running_var")}
    with pytest.raises(DataError, match="batch norm 'bn' of 5 units"):
        plain_network(tensors)


def test_layers_beside_a_chain_are_no_groups_of_it():
    """The shortcut of a ResNet has half the inputs, as a convolution in two groups would."""
    state = {"stem.weight": (16, 3, 3, 3), "wide.weight": (32, 16, 3, 3)}
    state |= {"same.weight": (32, 32, 3, 3), "shortcut.weight": (32, 16, 1, 1)}
    with pytest.raises(DataError, match=r"Conv2d shortcut \(32, 16, 1, 1\) does not follow"):
        plain_network({name: torch.rand(shape) for name, shape in state.items()})


def test_layers_of_blocks_are_refused_though_their_shapes_make_a_chain():
    with pytest.raises(DataError, match=r"'layer1\.0\.conv1' is one of a block"):
        plain_network(cifar_resnet(8).state_dict())
    inside = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Linear(4, 2))
    assert "Linear 0.0 (4, 3), Linear 1 (2, 4)" in built(inside.state_dict())[1][0]


def test_convolutions_of_keras_are_named_as_such():
    state = {"c1.weight": torch.rand(3, 3, 3, 32), "c2.weight": torch.rand(3, 3, 32, 64)}
    with pytest.raises(DataError, match="as in Keras; allowed: \\(outputs, inputs, rows"):
        plain_network(state)


@pytest.mark.parametrize(
    ("state", "named"),
    [
        (
            {"fc.weight": (4, 8), "fc.bias": (8,), "last.weight": (2, 4)},
            r"has a bias of shape \(8,",
        ),
        ({"fc.weight": (4, 8), "bn.running_mean": (4,)}, "batch norm 'bn' holds running_mean"),
        (
            {"fc.weight": (4, 8), "bn.running_mean": (4,), "bn.running_var": (3,)},
            r"running_var \(3,\); allowed",
        ),
    ],
)
def test_vectors_that_do_not_fit_their_layer_are_named(state, named):
    with pytest.raises(DataError, match=named):
        plain_network({name: torch.rand(shape) for name, shape in state.items()})


def test_layer_may_have_the_name_of_something_that_modules_have():
    module, _ = built({"half.weight": torch.rand(3, 2), "type.weight": torch.rand(2, 3)})
    assert module(torch.rand(1, 2)).shape == (1, 2)
