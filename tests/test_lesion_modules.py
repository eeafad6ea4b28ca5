"""Lesions of any module: against the path for perceptrons, and against weights zeroed by hand."""

from __future__ import annotations

import copy
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import rng_of
from perceptrons import as_module, random_mlp
from torch import nn

from modclust_utils.lesion_accuracies import lesion_accuracy, lesion_hits
from modclust_utils.lesion_modules import module_lesion_hits
from modclust_utils.passes import Operations

N_CLASSES = 3
LAYERS = ["first", "second"]
N_UNITS = 4 + 5


class SmallConvNet(nn.Module):
    """Two convolutions, the second with a batch norm that is far from the identity, and dropout."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3)
        self.second = nn.Conv2d(4, 5, 3)
        self.norm = nn.BatchNorm2d(5)
        self.relu = nn.ReLU()  # runs twice
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(5 * 4 * 4, N_CLASSES)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for tensor in (*self.parameters(), self.norm.running_mean):
                # weights above biases, so that the images decide
                scale = 1.0 if tensor.ndim > 1 else 0.3
                tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))
        self.double()

    def forward(self, images):
        hidden = self.relu(self.first(images))
        hidden = self.relu(self.norm(self.second(hidden)))
        return self.last(self.drop(hidden.flatten(1)))


def photos(n, seed=1):
    rng = rng_of(seed)
    x = torch.tensor(rng.normal(size=(n, 2, 8, 8)))
    return x, torch.tensor(rng.integers(N_CLASSES, size=n))


def unit_sets(n_sets, n_units, seed):
    """Random sets of all sizes; the first is empty and the last is everything."""
    rng = rng_of(seed)
    sets = rng.random((n_sets, n_units)) < rng.random((n_sets, 1))
    sets[0], sets[-1] = False, True
    return sets


def plain_accuracies(network, x, y):
    with torch.no_grad():
        right = network.eval()(x).argmax(1) == y
    classes = [right[y == c].double().mean() for c in range(N_CLASSES)]
    return right.double().mean(), torch.stack(classes)


def assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12, equal_nan=True)


@given(
    hidden=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    behind=st.lists(st.booleans(), min_size=3, max_size=3),
    n_classes=st.integers(1, 12),
    n_images=st.integers(1, 40),
    chunk_size=st.integers(1, 50),
    seed=st.integers(0, 2**32),
)
def test_a_perceptron_as_a_module_has_the_lesions_of_the_perceptron(
    hidden, behind, n_classes, n_images, chunk_size, seed
):
    network, rng = random_mlp((6, *hidden, n_classes), seed), rng_of(seed)
    x = torch.tensor(rng.normal(size=(n_images, 6)))
    y = torch.tensor(rng.integers(n_classes, size=n_images))
    sets = unit_sets(6, sum(hidden), seed)
    # of each hidden layer either the Linear or the ReLU behind it
    layers = [str(2 * i + relu) for i, relu in zip(range(len(hidden)), behind, strict=False)]
    whole = np.pad(sets, ((0, 0), (6, n_classes)))
    module = as_module(network)
    assert_same(
        module_lesion_hits(module, x, y, sets, layers, chunk_size=chunk_size),
        lesion_hits(network, x, y, whole),
    )
    assert_same(
        lesion_accuracy(module, x, y, torch.tensor(sets), layers=layers),
        lesion_accuracy(network, x, y, whole),
    )


def test_channels_of_a_convolution_are_units():
    network, (x, y) = SmallConvNet(), photos(60)
    sets = unit_sets(20, N_UNITS, 2)
    accuracies, by_class = lesion_accuracy(network, x, y, sets, layers=LAYERS)
    assert len(accuracies.unique()) > 5
    for index, row in enumerate(torch.tensor(sets)):
        cut = copy.deepcopy(network)
        for conv, silent in zip((cut.first, cut.second), row.split([4, 5]), strict=True):
            conv.weight.data[silent] = 0
            conv.bias.data[silent] = 0
        assert_same((accuracies[index], by_class[index]), plain_accuracies(cut, x, y))


def test_units_are_silent_where_the_named_layer_puts_them_out():
    """Behind a batch norm its shift is silenced too, in front of it the shift stays."""
    network, (x, y) = SmallConvNet(), photos(60)
    everything = np.ones((1, 5), bool)
    found = {
        name: lesion_accuracy(network, x, y, everything, layers=[name])[1][0]
        for name in ("second", "norm")
    }
    for name, share in found.items():
        cut = copy.deepcopy(network)
        getattr(cut, name).weight.data[:] = 0
        getattr(cut, name).bias.data[:] = 0
        assert_same([share], [plain_accuracies(cut, x, y)[1]])
    # with nothing but the biases of the last layer, one class is always the answer
    assert found["norm"].argmax() == network.last.bias.argmax()


def test_units_are_numbered_in_the_order_of_the_layers():
    network, (x, y) = SmallConvNet(), photos(60)
    sets = unit_sets(5, N_UNITS, 3)
    turned = np.concatenate([sets[:, 4:], sets[:, :4]], axis=1)
    assert_same(
        lesion_accuracy(network, x, y, turned, layers=["second", "first"]),
        lesion_accuracy(network, x, y, sets, layers=LAYERS),
    )


def test_a_lesion_of_no_units_is_plain_accuracy():
    network, (x, y) = SmallConvNet(), photos(50)
    found = lesion_accuracy(network, x, y, np.zeros((1, N_UNITS), bool), layers=LAYERS)
    assert_same([part[0] for part in found], plain_accuracies(network, x, y))


def test_no_sets_and_classes_without_images():
    network, (x, _) = SmallConvNet(), photos(4)
    y = torch.tensor([0, 0, 2, 2])
    accuracies, by_class = lesion_accuracy(network, x, y, np.zeros((0, 4), bool), layers=["first"])
    assert (accuracies.shape, by_class.shape) == ((0,), (0, N_CLASSES))
    _, by_class = lesion_accuracy(network, x, y, np.zeros((1, 4), bool), layers=["first"])
    assert by_class.isnan().tolist() == [[False, True, False]]


class Exponential(nn.Module):
    def forward(self, images):
        return images.exp()


def test_an_infinite_activation_can_be_silenced():
    network = nn.Sequential(Exponential(), nn.Linear(2, 2))
    network[1].weight.data, network[1].bias.data = torch.eye(2), torch.zeros(2)
    x, y = torch.tensor([[1e4, 1.0]]), torch.tensor([1])
    accuracies, _ = lesion_accuracy(network, x, y, np.array([[True, False]]), layers=["0"])
    assert accuracies.tolist() == [1.0]


def state(network):
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return tensors, [each.training for each in network.modules()]


def assert_left_as_it_was(network, before):
    (tensors, modes), (old_tensors, old_modes) = state(network), before
    assert modes == old_modes
    assert all(torch.equal(tensors[name], tensor) for name, tensor in old_tensors.items())


def test_dropout_is_off_and_the_network_is_left_as_it_was():
    network, (x, y) = SmallConvNet().train(), photos(40)
    network.norm.eval()  # frozen, as one does to go on with training
    before, sets = state(network), unit_sets(6, N_UNITS, 4)
    found = lesion_accuracy(network, x, y, sets, layers=LAYERS)
    assert_left_as_it_was(network, before)
    assert not found[0].requires_grad
    assert_same(found, lesion_accuracy(network.eval(), x, y, sets, layers=LAYERS))


class FailsLater(nn.Sequential):
    """Takes a single image, as the first look at a network does, but no chunk of them."""

    def forward(self, images):
        logits = super().forward(images)
        if len(images) > 1:
            raise RuntimeError("out of memory")
        return logits


@pytest.mark.parametrize(
    ("n_units", "error"), [(5, (RuntimeError, "out of memory")), (6, (ValueError, "unit_sets has"))]
)
def test_after_an_error_nothing_is_silent_and_the_modes_are_back(n_units, error):
    network, image = FailsLater(nn.Identity(), nn.Linear(3, 2)), torch.ones(1, 3)
    network[1].eval()
    before, logits = state(network), network(image)
    x, y = torch.ones(4, 3), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(error[0], match=error[1]):
        lesion_accuracy(network, x, y, np.ones((1, n_units), bool), layers=["0", "1"])
    assert_left_as_it_was(network, before)
    assert torch.equal(network(image), logits)


def test_memory_holds_one_chunk_of_images_and_nothing_afterwards():
    network, seen = SmallConvNet(), []
    network.last.register_forward_hook(
        lambda _, __, out: seen.append((len(out), out.requires_grad))
    )
    x, y = photos(23)
    module_lesion_hits(network, x, y, unit_sets(2, 4, 5), ["first"], chunk_size=10)
    # some looks at one image, then each chunk with the lesion and without
    assert [each for each in seen if each[0] > 1] == [(n, False) for n in (10, 10, 10, 10, 3, 3)]
    output = weakref.ref(network.first(x))
    assert output() is None


def test_what_comes_before_a_lesion_is_computed_once():
    network, (x, y), runs = SmallConvNet(), photos(20), {}
    for name in ("first", "second", "last"):
        count = runs.setdefault(name, [])
        getattr(network, name).register_forward_hook(lambda _, __, out, c=count: c.append(len(out)))
    sets = np.zeros((6, N_UNITS), bool)
    sets[0, 0] = sets[1, 1] = True  # two start in the first layer, four in the second
    sets[0, 4:] = sets[2:, 5] = True
    module_lesion_hits(network, x, y, sets, LAYERS, chunk_size=20)
    assert {name: count.count(20) for name, count in runs.items()} == {
        "first": 1,
        "second": 3,
        "last": 6,
    }


class InPlace(nn.Module):
    """Changes values in their place: what another lesion needs must stay as it is."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu, self.last = nn.ReLU(inplace=True), nn.Linear(4 * 64, N_CLASSES)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for tensor in self.parameters():
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
        self.double()

    def forward(self, images):
        skip = self.first(images)
        view = skip.flatten(1)
        hidden = self.second(skip)
        skip.sub_(0.5)
        hidden += skip
        self.relu(skip)
        return self.last(self.relu(hidden).flatten(1) + view)


class NotToFollow(InPlace):
    """The same for torch.fx not to follow."""

    def forward(self, images):
        return super().forward(images) if images.sum() > -1e9 else images


class InDisguise(InPlace):
    """torch.fx reads ``skip += 0.5`` as a new value, and does not see that `view` changes too."""

    def forward(self, images):
        skip = self.first(images)
        view = skip.flatten(1)
        skip += 0.5
        return self.last(self.relu(self.second(skip)).flatten(1) + 4 * view)


class InDisguiseNotToFollow(InDisguise):
    def forward(self, images):
        return super().forward(images) if images.sum() > -1e9 else images


@pytest.mark.parametrize(
    ("network", "plain"), [(InPlace, NotToFollow), (InDisguise, InDisguiseNotToFollow)]
)
def test_operations_that_work_in_place_and_modules_that_cannot_be_followed(network, plain):
    x, y = photos(30)
    sets = unit_sets(12, 8, 1)
    found = lesion_accuracy(network(), x, y, sets, layers=LAYERS)
    assert len(found[0].unique()) > 4
    assert_same(found, lesion_accuracy(plain(), x, y, sets, layers=LAYERS))
    Operations(InPlace(), LAYERS, x[:1])
    with pytest.raises(ValueError, match=r"cannot be followed by torch\.fx"):
        Operations(plain(), LAYERS, x[:1])
    with pytest.raises(ValueError, match="something else"):
        Operations(InDisguise(), LAYERS, x[:1])


def test_the_number_of_images_at_once_falls_with_their_size():
    small, large = (torch.zeros(1, 2, n, n).double() for n in (8, 300))
    network = SmallConvNet().eval()
    operations = Operations(network, LAYERS, small)
    runs = [operations.start(small), operations.start(large)]
    # the output of the first layer, and what its ReLU makes of it
    sizes = [run.advance(operations.place["first"] + 1).bytes() for run in runs]
    assert sizes == [4 * (n - 2) ** 2 * 8 for n in (8, 300)]


class Odd(nn.Module):
    """Parts that cannot be lesioned: one never runs, one knows no channels, one gives a pair."""

    def __init__(self):
        super().__init__()
        self.unused, self.pair, self.flat = nn.Identity(), nn.LSTM(3, 2), nn.Flatten(0)

    def forward(self, images):
        self.flat(images)
        return self.pair(images)[0]


class NotANumber(SmallConvNet):
    """As with a weight that is NaN: no class has the largest logit."""

    def forward(self, images):
        return super().forward(images) * float("nan")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": None}, r"layers=None is not allowed: .* of \['first', 'second', 'norm'"),
        ({"layers": "first"}, "layers='first' is not allowed"),
        ({"layers": []}, r"layers=\[\] is not allowed"),
        ({"layers": ["first"] * 2}, r"layers=\['first', 'first'\] is not allowed"),
        ({"layers": ["third"]}, r"layers has 'third', .* there are \['first', 'second', 'norm'"),
        ({"layers": ["relu"]}, "layers has 'relu', which runs 2 times"),
        ({"layers": ["second"]}, r"unit_sets has .*\(n_sets, 5\), units 5 of 'second'"),
        ({"unit_sets": np.zeros(4, bool)}, r"unit_sets has shape \(4,\)"),
        ({"unit_sets": np.zeros((1, 4), int)}, "unit_sets has .* type int64; allowed: boolean"),
        ({"x": torch.zeros(0, 2, 8, 8).double()}, r"x has shape \(0, 2, 8, 8\)"),
        ({"x": torch.zeros(9, 2, 8, 8)}, r"x is torch\.float32 on cpu; allowed: torch\.float64"),
        ({"y": torch.zeros(8).long()}, r"y has shape \(8,\)"),
        ({"y": torch.zeros(9)}, r"y has .* torch\.float32"),
        ({"y": torch.full((9,), 3)}, "y has labels from 3 to 3; allowed: 0 to 2"),
        (
            {"x": torch.zeros(9, 2, 9, 8).double()},
            r"x has images \(2, 9, 8\), on which network fails",
        ),
        ({"network": NotANumber()}, "what network puts out holds NaN or infinity"),
        ({"network": lambda images: images}, "network is of type function; allowed: MLP"),
        ({"network": nn.Identity(), "layers": [""]}, r"layers has '', .* there are \[\]"),
        (
            {"network": nn.Sequential(nn.Identity()), "layers": ["0"]},
            r"network puts out a tensor of shape \(1, 2, 8, 8\); allowed: logits",
        ),
        (
            {"network": random_mlp((2, 3, 2), 0)},
            r"layers=\['first'\] is not allowed: None, as network is an MLP",
        ),
        *(
            ({"network": Odd(), "x": torch.zeros(9, 3), "layers": [name]}, message)
            for name, message in {
                "unused": "layers has 'unused', which runs 0 times",
                "pair": "layers has 'pair', which puts out something of type tuple",
                "flat": r"layers has 'flat', which puts out a tensor of shape \(3,\)",
            }.items()
        ),
    ],
)
def test_bad_input_is_refused_by_name(changes, message):
    x, y = photos(9)
    options = {
        "network": SmallConvNet(),
        "x": x,
        "y": y,
        "unit_sets": np.zeros((1, 4), bool),
        "layers": ["first"],
    } | changes
    with pytest.raises(ValueError, match=message):
        lesion_accuracy(**options)


def test_chunks_of_no_images_are_refused():
    x, y = photos(9)
    with pytest.raises(ValueError, match="chunk_size=0 is not allowed"):
        module_lesion_hits(SmallConvNet(), x, y, np.zeros((1, 4), bool), ["first"], chunk_size=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_lesions_on_a_gpu_stay_there_and_equal_those_on_the_cpu():
    network, (x, y) = SmallConvNet(), photos(300)
    sets = unit_sets(8, N_UNITS, 6)
    expected = lesion_accuracy(network, x, y, sets, layers=LAYERS)
    there = network.to("cuda"), x.to("cuda"), y.to("cuda")
    found = lesion_accuracy(*there, sets, layers=LAYERS)
    assert found[0].device.type == found[1].device.type == "cuda"
    assert_same([part.cpu() for part in found], expected)
