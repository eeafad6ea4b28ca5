"""Graphs of torch modules: toys whose graphs are written out by hand, and those of torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from networks import rng_of
from perceptrons import as_module, random_mlp
from torch import nn

from modclust_utils.graphs import conv_edge_weights, mlp_adjacency, network_graph

IMAGE = torch.zeros(1, 2, 6, 6)
KERNEL = np.array([[[[1.0, -2.0], [-3.0, 4.0]], [[0.0, 5.0], [0.0, -1.0]]]])  # one to two channels


def conv(weights, *, groups=1, size=1, bias=False):
    """A convolution whose kernels have one weight other than 0, in their middle."""
    weights = torch.tensor(weights, dtype=torch.float32)
    n_out, n_in = weights.shape
    layer = nn.Conv2d(n_in * groups, n_out, size, padding=size // 2, groups=groups, bias=bias)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:, :, size // 2, size // 2] = weights
    return layer


def batch_norm(scale):
    """One whose gamma is `scale` times the standard deviations that it divides by."""
    layer = nn.BatchNorm2d(len(scale), eps=0.25)
    with torch.no_grad():
        layer.running_var.copy_(torch.arange(len(scale)) + 0.75)  # plus eps: 1, 2, 3, ...
        layer.weight.copy_(torch.tensor(scale) * (layer.running_var + 0.25).sqrt())
        layer.bias.fill_(7.0)
    return layer


class Wired(nn.Module):
    """Layers a, b, c, ... and a forward pass of them."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._forward = forward

    def forward(self, images):
        return self._forward(self, images)


def graph_of(network, image=IMAGE, **settings):
    graph = network_graph(network, image, **settings)
    assert (graph.adjacency != graph.adjacency.T).nnz == 0
    assert graph.adjacency.shape == (len(graph.layer_of_unit),) * 2 == (len(graph.unit_names),) * 2
    return graph


def between(graph, source, target):
    """The edges from layer to layer, by their names: ``(n_target, n_source)``."""
    rows, columns = (graph.layer_of_unit == graph.layer_names.index(n) for n in (target, source))
    return graph.adjacency[rows][:, columns].toarray()


# --- kernels -------------------------------------------------------------------------------------


def test_norms_of_a_kernel_by_hand():
    # sums of columns: 1 + 3 and 2 + 4; 0 and 5 + 1
    assert conv_edge_weights(KERNEL).tolist() == [[10.0, 6.0]]
    assert conv_edge_weights(KERNEL, norm="induced_l1").tolist() == [[6.0, 6.0]]
    # the other way round they are sums of rows: 1 + 2 and 3 + 4; 5 and 1
    turned = KERNEL.swapaxes(2, 3)
    assert conv_edge_weights(turned, norm="induced_l1").tolist() == [[7.0, 5.0]]


def test_the_induced_norm_is_the_matrix_norm_of_numpy():
    kernel = rng_of(0).normal(size=(3, 4, 2, 5))
    expected = [[np.linalg.norm(k, 1) for k in row] for row in kernel]
    np.testing.assert_allclose(conv_edge_weights(kernel, norm="induced_l1"), expected)
    np.testing.assert_allclose(conv_edge_weights(kernel), np.abs(kernel).sum((2, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_kernels_may_be_tensors(dtype):
    kernel = torch.tensor(KERNEL, dtype=dtype, requires_grad=True)
    assert conv_edge_weights(kernel).tolist() == [[10.0, 6.0]]


@pytest.mark.parametrize(
    ("kernel", "norm", "message"),
    [
        (np.ones((2, 3)), "l1", r"kernel has shape \(2, 3\); allowed: \(n_out, n_in, height"),
        (np.full((1, 1, 1, 1), np.nan), "l1", "kernel holds NaN"),
        (KERNEL, "l2", "norm='l2' is not allowed: 'l1' or 'induced_l1'"),
    ],
)
def test_what_is_no_kernel_is_refused(kernel, norm, message):
    with pytest.raises(ValueError, match=message):
        conv_edge_weights(kernel, norm=norm)


# --- toys ----------------------------------------------------------------------------------------


def test_a_chain_of_convolutions():
    network = nn.Sequential(
        conv([[1, 2], [3, 4], [5, 6]], size=3, bias=True),
        nn.ReLU(),
        nn.MaxPool2d(2),
        conv([[1, -2, 3], [0, 5, -6]]),
    )
    graph = graph_of(network)
    expected = np.zeros((5, 5))
    expected[3:, :3] = [[1, 2, 3], [0, 5, 6]]
    np.testing.assert_array_equal(graph.adjacency.toarray(), expected + expected.T)
    assert graph.layer_names == ("0", "3")
    assert graph.layer_of_unit.tolist() == [0, 0, 0, 1, 1]
    assert graph.layer_sizes == (3, 2)
    assert graph.unit_names == ["0[0]", "0[1]", "0[2]", "3[0]", "3[1]"]


@pytest.mark.parametrize("norm", ["l1", "induced_l1"])
def test_edges_are_norms_of_kernels(norm):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 4, (3, 2)))
    expected = conv_edge_weights(network[2].weight, norm=norm)
    np.testing.assert_array_equal(between(graph_of(network, norm=norm), "0", "2"), expected)


def test_a_residual_joins_a_convolution_to_all_that_it_reaches():
    network = Wired(
        lambda n, x: n.d(F.relu(n.a(x) + n.c(F.relu(n.b(x))))),
        a=conv([[1, 1], [1, 1]]),
        b=conv([[1, 2], [3, 4]]),
        c=conv([[5, 0], [0, 7]]),
        d=conv([[1, 10], [100, 1000]]),
    )
    graph = graph_of(network)
    assert graph.layer_names == ("a", "b", "c", "d")
    # d takes in the sum of a and c; b takes in the image, c what b puts out
    np.testing.assert_array_equal(between(graph, "a", "d"), [[1, 10], [100, 1000]])
    np.testing.assert_array_equal(between(graph, "c", "d"), [[1, 10], [100, 1000]])
    np.testing.assert_array_equal(between(graph, "b", "c"), [[5, 0], [0, 7]])
    for pair in (("a", "b"), ("a", "c"), ("b", "d")):
        assert not between(graph, *pair).any()


def test_a_unit_that_arrives_on_two_paths_has_the_sum_of_both_edges():
    network = Wired(
        lambda n, x: n.b(torch.cat([h := n.a(x), n.norm(h)], dim=1)),
        a=conv([[1, 1]]),
        norm=batch_norm([3.0]),
        b=conv([[2, 5]]),
    )
    # channel 0 is the unit itself, channel 1 three times the unit
    np.testing.assert_array_equal(between(graph_of(network), "a", "b"), [[2 + 3 * 5]])


def test_a_tensor_added_to_itself_counts_twice():
    network = Wired(lambda n, x: n.b(torch.add(h := n.a(x), h)), a=conv([[1, 1]]), b=conv([[-4]]))
    np.testing.assert_array_equal(between(graph_of(network), "a", "b"), [[8]])


def test_concatenation_in_the_order_of_its_parts():
    network = Wired(
        lambda n, x: n.c(torch.cat((n.b(x), x, n.a(x)), dim=-3)),
        a=conv([[1, 1], [1, 1]]),
        b=conv([[1, 1]]),
        c=conv([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]),
    )
    graph = graph_of(network)
    assert graph.layer_names == ("b", "a", "c")  # in the order in which they run
    np.testing.assert_array_equal(between(graph, "b", "c"), [[1], [6]])
    np.testing.assert_array_equal(between(graph, "a", "c"), [[4, 5], [9, 10]])


def test_a_depthwise_convolution_joins_each_channel_to_its_own():
    network = nn.Sequential(
        conv([[1, 1], [1, 1]]), conv([[2], [3], [4], [-5]], groups=2, size=3), conv([[1, 2, 3, 4]])
    )
    graph = graph_of(network)
    # two output channels for each input channel
    np.testing.assert_array_equal(between(graph, "0", "1"), [[2, 0], [3, 0], [0, 4], [0, 5]])
    np.testing.assert_array_equal(between(graph, "1", "2"), [[1, 2, 3, 4]])
    first, second = graph.connections
    np.testing.assert_array_equal(first.possible, [[1, 0], [1, 0], [0, 1], [0, 1]])
    assert second.possible.all()


def test_a_grouped_convolution_joins_within_its_groups():
    network = nn.Sequential(
        conv(np.ones((4, 2))), conv([[1, 2], [3, 0], [5, 6], [7, 8]], groups=2, size=3)
    )
    graph = graph_of(network)
    expected = [[1, 2, 0, 0], [3, 0, 0, 0], [0, 0, 5, 6], [0, 0, 7, 8]]
    np.testing.assert_array_equal(between(graph, "0", "1"), expected)
    (connection,) = graph.connections
    # the weight 0 inside a group could be another
    np.testing.assert_array_equal(connection.possible, np.kron(np.eye(2), np.ones((2, 2))))


def test_a_batch_norm_scales_what_goes_on_by_its_absolute_value():
    network = nn.Sequential(
        conv([[1, 1], [1, 1]]), batch_norm([-2.0, 0.5]), nn.ReLU(), conv([[3, 4], [-1, 0]])
    )
    graph = graph_of(network)
    np.testing.assert_allclose(between(graph, "0", "3"), [[6, 2], [2, 0]], rtol=1e-6)
    assert graph.layer_names == ("0", "3")
    assert graph.output_names == ("1", "3")


def test_a_batch_norm_behind_a_sum_scales_all_that_stand_in_it():
    network = Wired(
        lambda n, x: n.c(n.norm(n.a(x) + n.b(x))),
        a=conv([[1, 1]]),
        b=conv([[1, 1]]),
        norm=batch_norm([-3.0]),
        c=conv([[2]]),
    )
    graph = graph_of(network)
    for layer in "ab":
        np.testing.assert_allclose(between(graph, layer, "c"), [[6]], rtol=1e-6)
    assert graph.output_names == ("a", "b", "c")


def test_a_silent_scale_is_no_edge_but_a_possible_one():
    network = nn.Sequential(conv([[1, 1], [1, 1]]), batch_norm([0.0, 1.0]), conv([[3, 4]]))
    graph = graph_of(network)
    np.testing.assert_allclose(between(graph, "0", "2"), [[0, 4]], rtol=1e-6)
    assert graph.connections[0].possible.all()


def test_slices_and_zero_padding_as_in_the_shortcuts_of_cifar_resnets():
    network = Wired(
        lambda n, x: n.c(n.b(h := n.a(x))[:, :, ::2] + F.pad(h[:, 1:, ::2], (0, 0, 0, 0, 1, 2))),
        a=conv(np.ones((2, 2))),
        b=conv(np.ones((4, 2))),
        c=conv([[1, 2, 3, 4]]),
    )
    graph = graph_of(network)
    # the second channel of a is the second of the padded
    np.testing.assert_array_equal(between(graph, "a", "c"), [[0, 2]])
    np.testing.assert_array_equal(between(graph, "b", "c"), [[1, 2, 3, 4]])


def test_functions_with_the_weights_of_a_submodule_are_layers_too():
    class Padded(nn.Conv2d):
        def forward(self, images):
            return F.conv2d(F.pad(images, (1, 1, 1, 1)), self.weight, self.bias, groups=self.groups)

    def filled(n_in, n_out, groups, value):
        layer = Padded(n_in, n_out, 3, groups=groups)
        nn.init.constant_(layer.weight, value)
        return layer

    network = nn.Sequential(filled(2, 2, 1, 1.0), filled(2, 2, 2, -2.0))
    np.testing.assert_array_equal(between(graph_of(network), "0", "1"), [[18, 0], [0, 18]])


# --- Linear layers, images and logits ------------------------------------------------------------


def small_classifier():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 5),
        nn.Linear(5, 4),
    )


def test_in_a_convolutional_network_images_linear_layers_and_logits_are_no_units():
    graph = graph_of(small_classifier())
    assert graph.layer_names == ("0",)
    assert graph.adjacency.nnz == 0


@pytest.mark.parametrize("norm", ["l1", "induced_l1"])
def test_all_layers_are_units_where_one_asks_for_them(norm):
    network = small_classifier()
    graph = graph_of(network, units="all", norm=norm)
    assert graph.layer_names == ("(input)", "0", "4", "5")
    assert graph.layer_sizes == (2, 3, 5, 4)
    first = conv_edge_weights(network[0].weight, norm=norm)
    np.testing.assert_array_equal(between(graph, "(input)", "0"), first)
    # 2x2 positions of each channel side by side
    second = conv_edge_weights(network[4].weight.reshape(5, 3, 2, 2), norm=norm)
    np.testing.assert_array_equal(between(graph, "0", "4"), second)
    last = network[5].weight.detach().double().abs()
    np.testing.assert_array_equal(between(graph, "4", "5"), last)


def test_a_perceptron_has_the_graph_of_paper_a():
    mlp = random_mlp((6, 5, 4, 3), seed=0)
    graph = graph_of(as_module(mlp), torch.zeros(1, 6, dtype=torch.float64))
    expected = mlp_adjacency(mlp.weights)
    assert (graph.adjacency != expected).nnz == 0
    assert graph.layer_names[0] == "(input)"


def test_a_batch_norm_of_flattened_channels_scales_each_position():
    norm = nn.BatchNorm1d(4, eps=0.0, affine=False)
    norm.running_var.copy_(torch.tensor([1.0, 4.0, 16.0, 1.0]))
    linear = nn.Linear(4, 1)
    nn.init.constant_(linear.weight, -8.0)
    network = nn.Sequential(conv([[1, 1]]), nn.AdaptiveAvgPool2d(2), nn.Flatten(), norm, linear)
    graph = graph_of(network, units="all")
    np.testing.assert_allclose(between(graph, "0", "4"), [[8 + 4 + 2 + 8]])


def test_a_convolution_that_puts_out_the_logits_is_no_layer_of_units():
    layers = [conv([[1, 1], [1, 1]]), nn.ReLU(), conv([[1, 2]]), nn.AdaptiveAvgPool2d(1)]
    graph = graph_of(nn.Sequential(*layers, nn.Flatten()))
    assert graph.layer_names == ("0",)
    # maps of features are no logits
    assert graph_of(nn.Sequential(*layers)).layer_names == ("0", "2")
    assert graph_of(nn.Sequential(*layers, nn.Flatten()), units="all").layer_sizes == (2, 2, 1)


def test_the_module_is_left_as_it_was():
    network = nn.Sequential(conv([[1, 1]]), batch_norm([1.0]), nn.Dropout(0.5), conv([[1]]))
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    graph_of(network, torch.randn(3, 2, 6, 6))
    assert all(each.training for each in network.modules())
    assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())


# --- refusals ------------------------------------------------------------------------------------


def shared():
    layer = conv([[1, 1], [1, 1]])
    return nn.Sequential(layer, nn.ReLU(), layer)


def wired(forward, **layers):
    return Wired(forward, a=conv([[1, 1], [1, 1]]), **layers)


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (wired(lambda n, x: n.gate(n.a(x)) * n.a.weight.sum(), gate=nn.Identity()), "'mul'"),
        (
            wired(lambda n, x: n.a(x) * torch.sigmoid(n.squeeze(x)), squeeze=conv([[1, 1]])),
            r"'mul' \(operation\), behind 'a', 'sigmoid', which network_graph does not know",
        ),
        (
            nn.Sequential(conv([[1, 1], [1, 1]]), nn.Sequential(nn.GroupNorm(1, 2))),
            r"'1.0' \(GroupNorm\), behind '0', which network_graph does not know; allowed: Conv2d",
        ),
        (nn.Sequential(conv([[1, 1]]), nn.ConvTranspose2d(1, 1, 1)), r"'1' \(ConvTranspose2d\)"),
        (wired(lambda n, x: n.a(x).permute(0, 2, 3, 1)), "'permute'"),
        (wired(lambda n, x: n.a(x).reshape(-1, 1, 6, 6)), r"'reshape'.*which makes \(4, 1, 6, 6\)"),
        (wired(lambda n, x: torch.cat([n.a(x), n.a(x)], 2)), "'a' twice"),
        (wired(lambda n, x: torch.cat([h := n.a(x), h], 2)), "'cat'.*along axis 2"),
        (wired(lambda n, x: n.a(x)[:, 0]), "'getitem'.*with index"),
        (wired(lambda n, x: n.a(x)[:1]), "'getitem'.*some of the images"),
        (wired(lambda n, x: n.a(x).chunk(2, 1)[0]), "'chunk'"),
        (wired(lambda n, x: n.a(x) + n.bias, bias=nn.Parameter(torch.ones(1))), "adds a parameter"),
        (wired(lambda n, x: (h := n.a(x)) + h[:, :1]), "adds tensors of different shapes"),
        (wired(lambda n, x: F.conv2d(n.a(x), n.a.weight * 2)), "'conv2d'.*weights are computed"),
        (wired(lambda n, x: n.a(x).mean(1, keepdim=True)), "'mean'.*not go channel by channel"),
        (nn.Sequential(conv([[1, 1]]), nn.BatchNorm2d(1, track_running_stats=False)), "no running"),
        (
            nn.Sequential(conv([[1, 1]]), nn.Linear(6, 6), conv([[1]])),
            "'2' .Conv2d.*a convolution behind a Linear; allowed with units='all'",
        ),
        (shared(), "its layer '0' twice"),
        (nn.Sequential(conv([[float("nan"), 1]])), "the layer '0', whose kernel holds NaN"),
        (nn.Sequential(nn.ReLU()), "no layers of units"),
        (Branching(), "cannot be followed by torch.fx"),
        (nn.Sequential(conv([[1, 1, 1]])), "images of shape .2, 6, 6. does not go through"),
        (nn.Bilinear(2, 2, 2), "takes 2 inputs"),
        (wired(lambda n, x: (n.a(x), x)), "puts out no single tensor"),
        ("vgg16", "module is of type str"),
    ],
)
def test_what_cannot_be_followed_is_named(network, message):
    with pytest.raises(ValueError, match=message):
        network_graph(network, IMAGE, units="auto")


def test_other_settings_are_refused():
    network = nn.Sequential(conv([[1, 1]]))
    with pytest.raises(ValueError, match="units='some' is not allowed: 'auto' or 'convolutions'"):
        network_graph(network, IMAGE, units="some")
    with pytest.raises(ValueError, match="norm='l3' is not allowed"):
        network_graph(network, IMAGE, norm="l3")
    with pytest.raises(ValueError, match="example_input is no tensor"):
        network_graph(network, torch.zeros(3))


# --- torchvision ---------------------------------------------------------------------------------


def of_torchvision(name):
    """An architecture whose weights are all 1: the structure without waiting for random numbers."""
    with torch.device("meta"):
        network = getattr(torchvision.models, name)(weights=None)
    network.to_empty(device="cpu")
    for tensor in (*network.parameters(), *network.buffers()):
        nn.init.ones_(tensor)
    return network


@pytest.mark.parametrize(
    ("name", "n_units", "n_layers"),
    [
        ("vgg16", 4224, 13),
        ("vgg19", 5504, 16),
        # 3,904 and 7,616 in the chain, and 128 + 256 + 512 in the projections of shortcuts
        ("resnet18", 4800, 20),
        ("resnet34", 8512, 36),
        ("squeezenet1_0", 2976, 25),
        ("mobilenet_v2", 17056, 52),
    ],
)
def test_structure_of_networks_of_torchvision(name, n_units, n_layers):
    network = of_torchvision(name)
    graph = network_graph(network, torch.zeros(1, 3, 64, 64))
    assert len(graph.layer_of_unit) == n_units
    assert len(graph.layer_names) == len(set(graph.layer_names)) == n_layers
    convolutions = [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    assert set(convolutions) - set(graph.layer_names) <= {"classifier.1"}  # SqueezeNet's logits
    # every unit but those of the first layer takes in another
    assert (np.diff(graph.adjacency.indptr) > 0).all()


def test_joints_of_a_resnet():
    """What a stage takes in; the projection of a shortcut goes on as a convolution does."""
    graph = network_graph(of_torchvision("resnet18"), torch.zeros(1, 3, 64, 64))
    names = graph.layer_names
    joints = {(names[c.source], names[c.target]) for c in graph.connections}
    stem = {"conv1", "layer1.0.conv2", "layer1.1.conv2"}
    second = {"layer2.0.conv2", "layer2.0.downsample.0"}
    assert {s for s, t in joints if t == "layer1.0.conv1"} == {"conv1"}
    assert {s for s, t in joints if t == "layer1.1.conv1"} == stem - {"layer1.1.conv2"}
    assert {s for s, t in joints if t == "layer2.0.conv1"} == stem
    assert {s for s, t in joints if t == "layer2.0.downsample.0"} == stem
    assert {s for s, t in joints if t == "layer2.0.conv2"} == {"layer2.0.conv1"}
    assert {s for s, t in joints if t == "layer2.1.conv1"} == second
    assert {s for s, t in joints if t == "layer3.0.conv1"} == second | {"layer2.1.conv2"}
    assert graph.output_names[names.index("layer2.0.downsample.0")] == "layer2.0.downsample.1"
