"""Graphs of modules whose operations are easily mistaken: in place, computed, by keyword."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import rng_of
from test_network_graphs import IMAGE, Wired, batch_norm, between, conv, graph_of
from torch import nn

from modclust_utils.graphs import network_graph
from modclust_utils.lesion_modules import module_lesion_hits

MIXED = [[1.0, 2], [3, 4]]


def in_place_by_method(self, images):
    h = self.a(images)
    h.add_(self.b(h))
    return self.c(h)


def in_place_by_another_name(self, images):
    h = self.a(images)
    other = h
    other += self.b(h)
    return self.c(h)


def in_place_behind_a_relu(self, images):
    h = self.a(images)
    rectified = h.relu_()
    rectified.add_(self.b(rectified))
    return self.c(h)


def not_in_place(self, images):
    h = self.a(images)
    return self.c(h + self.b(h))


def three(forward):
    return Wired(forward, a=conv(MIXED), b=conv([[2.0, 0], [0, 1]]), c=conv(MIXED))


@pytest.mark.parametrize(
    "forward", [in_place_by_method, in_place_by_another_name, in_place_behind_a_relu]
)
def test_what_is_changed_in_its_place_is_made_of_all_that_was_added(forward):
    graph, plain = graph_of(three(forward)), graph_of(three(not_in_place))
    assert between(graph, "b", "c").tolist() == MIXED
    assert (graph.adjacency != plain.adjacency).nnz == 0
    assert graph.tied.tolist() == plain.tied.tolist()


def test_changes_in_place_are_seen_in_inference_mode():
    with torch.inference_mode():
        graph = graph_of(three(in_place_by_method), torch.zeros(1, 2, 6, 6))
    assert between(graph, "b", "c").tolist() == MIXED


def test_without_another_name_adding_in_place_is_adding():
    def forward(self, images):
        h = self.a(images)
        h += self.b(h)
        return self.c(h)

    assert (graph_of(three(forward)).adjacency != graph_of(three(not_in_place)).adjacency).nnz == 0


def add_to_a_slice(self, images):
    h = self.a(images)
    h[:, :1].add_(self.b(h))
    return self.c(h)


def use_a_view_of_what_was_changed(self, images):
    h = self.a(images)
    view = h.view(h.shape[0], -1)
    h.add_(self.b(h))
    return view


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Wired(add_to_a_slice, a=conv(MIXED), b=conv([[1.0, 1]]), c=conv(MIXED)),
            "has 'add_' .* in its place changes 'a', a view, too",
        ),
        (
            Wired(use_a_view_of_what_was_changed, a=conv(MIXED), b=conv(MIXED)),
            "has 'add_' .* in its place changes 'view', a view, too",
        ),
    ],
)
def test_changes_of_a_view_in_place_are_refused(network, message):
    with pytest.raises(ValueError, match=message):
        network_graph(network, IMAGE)


def test_a_non_linearity_in_place_leaves_views_as_they_are():
    def forward(self, images):
        h = self.a(images)
        first = h[:, :1]
        h.relu_()
        return self.b(first)

    graph = graph_of(Wired(forward, a=conv(MIXED), b=conv([[5.0]])))
    assert between(graph, "a", "b").tolist() == [[5, 0]]


# --- where units are silent ----------------------------------------------------------------------


def shifting(n, shift=3.0):
    layer = batch_norm([1.0] * n)
    nn.init.constant_(layer.bias, shift)
    return layer


def chain(*layers):
    """Layers, a ReLU and a layer of logits, which are the means of all positions."""
    last = nn.Conv2d(2, 2, 1, bias=False)
    nn.init.constant_(last.weight, 1.0)
    return nn.Sequential(conv(MIXED), *layers, last, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize(
    ("layers", "output"),
    [
        ([shifting(2), nn.ReLU()], "1"),
        ([nn.MaxPool2d(2), shifting(2), nn.ReLU()], "2"),
        ([nn.Dropout(), nn.AvgPool2d(2), nn.Identity(), shifting(2), nn.ReLU()], "4"),
        ([nn.Sigmoid()], "1"),
        ([nn.Hardsigmoid()], "1"),
        ([shifting(2), nn.MaxPool2d(2), nn.Softplus()], "3"),
        # behind the ReLU units are silent, and a batch norm there is part of what comes next
        ([nn.ReLU(), shifting(2)], "0"),
        ([nn.Tanh()], "0"),
    ],
)
def test_units_are_silent_behind_their_output(layers, output):
    network, seen = chain(*layers), []
    assert graph_of(network).output_names[0] == output
    # what comes next takes in nothing of the unit, whatever its batch norm adds
    place = len(layers) + (not isinstance(layers[-1], nn.BatchNorm2d))
    network[place].register_forward_pre_hook(lambda _, taken: seen.append(taken[0].detach()))
    images = torch.from_numpy(rng_of(0).normal(size=(4, 2, 6, 6))).float()
    lesion, classes = np.array([[True, False]]), torch.tensor([0, 1, 0, 1])
    module_lesion_hits(network, images, classes, lesion, [output])
    assert not seen[-1][:, 0].any()
    assert seen[-1][:, 1].any()


def test_a_batch_norm_that_flattened_positions_go_through_is_no_output():
    network = nn.Sequential(conv(MIXED), nn.Flatten(), nn.BatchNorm1d(72), nn.Linear(72, 2))
    assert graph_of(network).output_names == ("0",)


def test_a_sigmoid_that_puts_out_the_classes_is_no_output():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Sigmoid())
    assert graph_of(network, torch.zeros(1, 3)).output_names[1:] == ("0", "2")


def shared_sigmoid(self, images):
    return self.b(self.act(self.b2(self.act(self.a(images)))))


def sigmoid_as_a_function(self, images):
    return self.b(torch.sigmoid(self.a(images)))


@pytest.mark.parametrize(
    "network",
    [
        Wired(sigmoid_as_a_function, a=conv(MIXED), b=conv(MIXED)),
        Wired(shared_sigmoid, a=conv(MIXED), b=conv(MIXED), b2=conv(MIXED), act=nn.Sigmoid()),
    ],
)
def test_a_sigmoid_that_cannot_be_named_is_warned_of(network):
    with pytest.warns(UserWarning, match="the layers .'a'.* more than 0 of 0.* a constant"):
        assert network_graph(network, IMAGE).output_names[0] == "a"


# --- computed and by keyword ---------------------------------------------------------------------


def test_ends_of_slices_and_padding_may_be_computed_from_shapes():
    def forward(self, images):
        h = self.a(images)
        half = h[:, h.shape[1] // 2 :]
        return self.b(F.pad(half, (0, 0, 0, 0, 0, h.shape[1] - half.size(1))))

    graph = graph_of(Wired(forward, a=conv(MIXED), b=conv([[5.0, 7]])))
    assert between(graph, "a", "b").tolist() == [[0, 5]]


def test_groups_may_be_computed_from_shapes():
    def forward(self, images):
        h = self.a(images)
        return F.conv2d(h, self.b.weight, None, 1, 0, 1, h.shape[1])

    graph = graph_of(Wired(forward, a=conv(MIXED), b=conv([[2.0], [3]], groups=2)))
    assert between(graph, "a", "b").tolist() == [[2, 0], [0, 3]]


@pytest.mark.parametrize("axis", [1, -3])
def test_concatenation_along_an_axis_as_numpy_names_it(axis):
    network = Wired(
        lambda self, x: self.b(torch.cat([self.a(x), self.a2(x)], axis=axis)),
        a=conv(MIXED),
        a2=conv(MIXED),
        b=conv([[1.0, 2, 3, 4]]),
    )
    graph = graph_of(network)
    assert between(graph, "a2", "b").tolist() == [[3, 4]]


@pytest.mark.parametrize(
    "mean",
    [
        lambda h: h.mean(1),
        lambda h: h.mean(-3),
        lambda h: torch.mean(h, (1, 3)),
        lambda h: h.mean(axis=1),
    ],
)
def test_means_over_channels_are_refused_where_there_are_as_many_rows(mean):
    network = Wired(lambda self, x: mean(self.a(x)).flatten(1), a=conv(MIXED))
    with pytest.raises(ValueError, match=r"has .mean. .* not go channel by channel"):
        network_graph(network, torch.zeros(1, 2, 2, 2))


def test_means_over_positions_go_channel_by_channel():
    network = Wired(lambda self, x: self.b(self.a(x).mean((2, 3), True)), a=conv(MIXED))
    network.b = conv([[5.0, 7]])
    assert between(graph_of(network), "a", "b").tolist() == [[5, 7]]


class OwnWeights(nn.Module):
    """Two convolutions as functions with parameters of the module itself."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(conv(MIXED).weight.detach())
        self.second = nn.Parameter(conv([[5.0, 7]]).weight.detach())

    def forward(self, images):
        return F.conv2d(F.conv2d(images, self.first).relu(), self.second)


def test_weights_of_the_module_itself_are_layers_of_their_names():
    graph = graph_of(OwnWeights())
    assert graph.layer_names == ("first", "second")
    assert between(graph, "first", "second").tolist() == [[5, 7]]


# --- what goes wrong inside the module -----------------------------------------------------------


def check_type(self, images):
    if not isinstance(images, torch.Tensor):
        raise ValueError
    return self.a(images)


def own_assertion(self, images):
    torch._assert(images.size(2) == 7, "seven rows")
    return self.a(images)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda self, x: self.a(x).view(len(x), -1), "type Wired cannot be followed by torch.fx"),
        (lambda self, x: self.a(x).mean((2, 3, 4)), "does not go through the module: Dimension"),
        (own_assertion, "does not go through the module: seven rows"),
        (check_type, r"cannot be followed by torch.fx \(ValueError\)"),
    ],
)
def test_errors_of_any_kind_inside_the_module_are_said(forward, message):
    with pytest.raises(ValueError, match=message):
        network_graph(Wired(forward, a=conv(MIXED)), IMAGE)
