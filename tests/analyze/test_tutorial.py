"""The tutorial on networks of one's own trains on the images that it says it trains on."""

from __future__ import annotations

import json

import torch
from torch import nn

from modclust_utils.paths import root


class Witness(nn.Module):
    """Notes the numbers that it is trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.last = nn.Linear(1, 10)

    def forward(self, x):
        self.seen += x[:, 0].long().tolist()
        return self.last(x)


def test_no_image_that_tests_lesions_is_trained_on():
    cells = json.loads((root() / "book" / "own-network.ipynb").read_text(encoding="utf-8"))["cells"]
    first = "".join(next(cell for cell in cells if cell["cell_type"] == "code")["source"])
    place: dict = {}
    exec(first.replace("train(network, epochs=30)", ""), place)
    n = len(place["labels"])
    place["images"], witness = torch.arange(n)[:, None].float(), Witness()
    place["train"](witness, epochs=2)
    assert sorted(witness.seen) == sorted(2 * torch.nonzero(~place["is_test"]).flatten().tolist())
