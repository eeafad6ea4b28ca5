"""What is understood of a network: layers, the graph replayed, where the method says little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from own_networks import Gated, planted, write_images
from safetensors.torch import save_file
from torch import nn

from modclust_utils.channel_edges import Connection
from modclust_utils.datasets import DataError
from modclust_utils.graphs import network_graph
from modclust_utils.own import findings
from modclust_utils.own.images import own_images
from modclust_utils.own.reading import read_network
from modclust_utils.own.replay import replay
from modclust_utils.own.understanding import understand
from modclust_utils.passes import Operations
from modclust_utils.pretrained.architectures import cifar_resnet, efficientnet_lite


def uses(found) -> dict[str, str]:
    return dict(zip(found.layers["layer"], found.layers["use"], strict=True))


def test_every_layer_is_used_folded_or_passed():
    network = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)),
    )
    found = understand(read_network(network), 2)
    assert uses(found) == {
        "0": "units",
        "1": "folded into 0",
        "2": "passes its channels on",
        "3": "units",
        "4": "passes its channels on",
        "5": "passes its channels on",
        "6": "passes its channels on",
        "7": "outside the graph: behind convolutions, Linear layers are no units",
    }
    assert (found.n_units, found.n_edges, found.n_possible, found.n_parts) == (16, 64, 64, 1)


def test_what_cannot_be_followed_is_named_with_its_type_and_place():
    found = understand(read_network(Gated()), 2)
    assert found.graph is None
    assert "'mul'" in found.refusal
    assert uses(found)["norm"].startswith("not supported: its scale depends on the images")
    assert len(found.layers) == 4


class CountsImages(nn.Module):
    """It asks how many images there are, as torch.fx cannot."""

    def __init__(self):
        super().__init__()
        self.conv, self.logits = nn.Conv2d(3, 4, 1), nn.Linear(4 * 8 * 8, 2)

    def forward(self, x):
        return self.logits(self.conv(x).view(len(x), -1))


def test_an_error_of_any_kind_inside_the_network_is_a_refusal():
    found = understand(read_network(CountsImages(), input_shape=(3, 8, 8)), 2)
    assert found.graph is None
    assert "CountsImages cannot be followed by torch.fx ('len' is not supported" in found.refusal


def test_attention_is_one_layer_that_is_not_supported():
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
            self.last = nn.Linear(4, 2)

        def forward(self, x):
            x = x[:, None]
            return self.last(self.attention(x, x, x)[0][:, 0])

    found = understand(read_network(Attends(), input_shape=(4,)), 2)
    assert found.graph is None
    assert uses(found)["attention"].startswith("not supported: attention multiplies")
    assert [*uses(found)] == ["attention", "last"]


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (lambda: planted(), (16,)),
        (lambda: cifar_resnet(8), (3, 32, 32)),
        (lambda: efficientnet_lite(0, 10), (3, 64, 64)),
    ],
    ids=["perceptron", "residual", "depthwise"],
)
def test_replay_finds_the_edges_of_the_network(network, shape):
    torch.manual_seed(0)
    own = read_network(network(), input_shape=shape)
    graph = network_graph(own.module, own.example)
    found = replay(own, graph, n_units=8)
    assert found.faults == ()
    assert not found.reason
    assert found.n_moved > 0.5 * found.n_pairs > 0


def test_replay_sees_edges_that_are_missing_or_too_small():
    own = read_network(planted())
    graph = network_graph(own.module, own.example)
    for change in (np.zeros_like, lambda w: w / 3):
        connections = tuple(
            replace(each, weights=change(each.weights)) if each.source else each
            for each in graph.connections
        )
        found = replay(own, replace(graph, connections=connections))
        assert any("and the edge between them is" in fault for fault in found.faults)
    lost = replace(graph, connections=graph.connections[:1] + _other_way(graph.connections[2:]))
    assert replay(own, lost).faults


def _other_way(connections: tuple[Connection, ...]) -> tuple[Connection, ...]:
    return tuple(replace(each, weights=each.weights[::-1].copy()) for each in connections)


def test_missing_weights_are_refused(tmp_path):
    state = planted().state_dict()
    del state["2.weight"]
    save_file(state, tmp_path / "mine.safetensors")
    found = understand(read_network(tmp_path / "mine.safetensors", architecture=planted), 2)
    assert found.graph is None
    assert found.refusal == (
        "The weights do not fit the architecture: missing in the file: 2.weight."
    )


def warnings_of(network: nn.Module, k: int = 2, **options) -> str:
    return " ".join(understand(read_network(network, **options), k).warnings)


def test_warnings_where_the_method_says_little():
    dense = warnings_of(planted())
    assert "The network is dense: 100.0%" in dense
    assert "few units" not in dense
    assert "few units: 68 with edges, for 9 clusters" in warnings_of(planted(), 9)
    apart = planted(across=0.0)
    said = warnings_of(apart)
    assert "falls into 2 parts" in said
    assert "dense" not in said
    bent = nn.Sequential(*[nn.GELU() if isinstance(m, nn.ReLU) else m for m in planted()])
    assert "The network has GELU, which let no factor pass" in warnings_of(bent)


def test_an_answer_that_is_not_a_number_is_no_class(tmp_path):
    network = planted()
    path = write_images(tmp_path / "images.npz", network)
    network[-1].bias.data[1] = float("nan")
    own = read_network(network)
    with pytest.raises(DataError, match="puts out NaN or infinity for some of images 0 to 49"):
        understand(own, 2, own_images(path, own.input_shape))


def test_top_1_says_whether_images_are_prepared_as_in_training(tmp_path):
    network = planted()
    path = write_images(tmp_path / "images.npz", network)
    own = read_network(network)
    found = understand(own, 2, own_images(path, own.input_shape))
    assert (found.top_1, found.n_labelled, found.n_classes) == (1.0, 60, 4)
    with np.load(path) as stored:
        x, y = stored["x"], stored["y"]
    np.savez(path, x=x, y=(y + 1) % 4)
    found = understand(own, 2, own_images(path, own.input_shape))
    assert found.top_1 == 0.0
    assert "near chance" in " ".join(found.warnings)
    write_images(path, network, labelled=False)
    assert understand(own, 2, own_images(path, own.input_shape)).top_1 is None


class Relu(nn.Module):
    """A reader's own kind of layer, which is followed operation by operation."""

    def forward(self, x):
        return x.relu()


def test_layers_that_are_not_run_and_layers_of_ones_own_are_called_so():
    class Mine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.mine, self.last = nn.Linear(6, 8), Relu(), nn.Linear(8, 3)
            self.aside, self.norm = nn.Linear(5, 5), nn.LayerNorm(4)

        def forward(self, x):
            return self.last(self.mine(self.first(x)))

    found = uses(understand(read_network(Mine()), 2))
    assert found["mine"] == "followed operation by operation"
    assert found["aside"] == found["norm"] == "not used: the forward pass does not run it"
    assert found["first"] == "units"


def test_layers_behind_the_units_are_not_called_unsupported():
    network = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(8, 6), nn.LayerNorm(6), nn.Linear(6, 3)),
    )
    assert uses(understand(read_network(network), 2))["6"].startswith("outside the graph")


def test_parts_are_counted_where_layers_are_not_a_chain():
    class Towers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.ModuleList([nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)])
            self.two = nn.ModuleList([nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)])
            self.last = nn.Linear(8, 2)

        def forward(self, x):
            first = self.one[0](x)
            own = self.one[2](self.one[1](first) + first).mean((2, 3))
            other = self.two[1](self.two[0](x)).mean((2, 3))
            return self.last(torch.cat([own, other], 1))

    found = understand(read_network(Towers()), 2)
    # as many connections as a chain of these layers has, and yet two parts
    assert found.graph is not None
    assert len(found.graph.connections) == len(found.graph.layer_names) - 1
    assert found.n_parts == 2


def test_replay_sees_a_wrong_edge_whatever_the_scale_of_the_weights():
    for factor in (1e-6, 1.0, 1e5):
        network = planted()
        for layer in network[::2]:
            layer.weight.data *= factor
        own = read_network(network)
        graph = network_graph(own.module, own.example)
        assert replay(own, graph).faults == ()
        smaller = tuple(replace(c, weights=c.weights / 3) for c in graph.connections)
        assert replay(own, replace(graph, connections=smaller)).faults


def test_replay_of_one_layer_says_that_there_is_nothing_to_move():
    found = understand(read_network(nn.Sequential(nn.Linear(9, 7))), 2)
    assert found.replay.reason == "only the images have edges to later units"


def test_a_good_share_of_two_classes_is_not_near_chance(tmp_path):
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    x = np.random.default_rng(0).random((200, 4), dtype=np.float32)
    y = network(torch.from_numpy(x)).argmax(1).numpy()
    for share, warned in ((0.9, False), (0.5, True)):
        wrong = np.random.default_rng(1).random(200) > share
        np.savez(tmp_path / f"{share}.npz", x=x, y=np.where(wrong, 1 - y, y))
        own = read_network(network)
        found = understand(own, 2, own_images(tmp_path / f"{share}.npz", own.input_shape))
        assert found.top_1 == pytest.approx(share, abs=0.1)
        assert ("near chance" in " ".join(found.warnings)) == warned


def test_labels_that_the_network_has_no_logit_for_are_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", x=np.ones((8, 16)), y=np.arange(8) % 4 + 1)
    own = read_network(planted())
    with pytest.raises(ValueError, match="labels up to 4; allowed: 0 to 3"):
        understand(own, 2, own_images(tmp_path / "mine.npz", own.input_shape))


def test_images_of_which_channels_are_units_are_said_to_be_so():
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 12), nn.ReLU(), nn.Linear(12, 3))
    assert "with the shape 36" in warnings_of(network, input_shape=(1, 6, 6))
    assert "with the shape" not in warnings_of(network)


def test_what_would_help_is_about_what_is_wrong(tmp_path):
    state = planted().state_dict()
    del state["2.weight"]
    save_file(state, tmp_path / "mine.safetensors")
    found = understand(read_network(tmp_path / "mine.safetensors", architecture=planted), 2)
    assert "the architecture that the file was saved from" in findings.refused(found)
    assert "some_part" not in findings.refused(found)
    assert ". What would help: in Python" in findings.refused(understand(read_network(Gated()), 2))


def test_chain_that_is_assumed_says_what_the_graph_depends_on(tmp_path):
    save_file(planted().state_dict(), tmp_path / "mine.safetensors")
    said = " ".join(understand(read_network(tmp_path / "mine.safetensors"), 2).warnings)
    assert "a skip connection" in said
    assert "The graph does not depend" not in said


def test_replay_takes_small_images_where_they_go_through(monkeypatch):
    sizes = []

    class Notes(Operations):
        def start(self, images):
            sizes.append(images.shape[-1])
            return super().start(images)

    monkeypatch.setattr("modclust_utils.own.replay.Operations", Notes)
    for any_size, side in ((True, 64), (False, 80)):
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)]
        fixed = [nn.Flatten(), nn.Linear(4 * 80 * 80, 2)]
        body = [nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)]
        network = nn.Sequential(*body, *(head if any_size else fixed))
        own = read_network(network, input_shape=(3, 80, 80))
        assert replay(own, network_graph(own.module, own.example)).faults == ()
        assert {*sizes} == {side}
        sizes.clear()
