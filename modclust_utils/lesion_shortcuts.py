"""Lesions of channels in front of a convolution: what the silent ones give to it is taken away.

A convolution is linear, so its output without some channels is that with all, which is the same
for all lesions, less what these channels give. A lesion of few of them takes a small part of the
time of the whole convolution. Where silent channels are many, or give most of the output, so that
little would be left of a difference of large numbers, the others are convolved.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modclust_utils.passes import Operations, Pass

# Channel by channel, and 0 where all that they see of a channel is 0.
_KEEP_ZERO = (
    *(nn.Identity, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.ReLU6, nn.LeakyReLU),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d),
)


class BeforeConvolution:
    """A pass in front of a convolution, from which many go on behind it without some channels."""

    def __init__(self, before: Pass, number: int) -> None:
        self.before, self.number = before, number
        convolution, inputs = before.operations.module(number), before.input_of(number)
        assert isinstance(convolution, nn.Conv2d)
        self.convolution, self.outputs = convolution, convolution(inputs)
        # whole channels lie together, so that some of them are copied at once
        self.inputs = inputs.contiguous()
        last = self.outputs.is_contiguous(memory_format=torch.channels_last)
        self.order = torch.channels_last if last else torch.contiguous_format
        largest = inputs.abs().amax((0, 2, 3)).double()
        # what a channel gives to an output at most
        self.most = largest * convolution.weight.abs().sum((2, 3)).amax(0)

    @classmethod
    def behind(cls, shared: Pass, layer: str) -> BeforeConvolution | None:
        """Where a pass that has reached `layer` gets to a convolution, on a way on which silent
        channels stay silent and are not used elsewhere; None where there is none, or where what it
        puts out is not finite, so that nothing can be taken away from it."""
        if (number := next_convolution(shared.operations, layer)) is None:
            return None
        found = cls(shared.fork().advance(number - 1), number)
        return found if bool(found.outputs.isfinite().all()) else None

    def without(self, silent: Tensor) -> Pass:
        """A pass behind the convolution; silent: of its channels ``(n_in,)``, not all."""
        few = 2 * silent.sum() <= len(silent)
        taken = bool(few & (2 * self.most[silent].sum() <= self.most.sum()))
        units = (silent if taken else ~silent).nonzero().squeeze(1)
        convolution = self.convolution
        part = nn.functional.conv2d(
            self.inputs.index_select(1, units),
            convolution.weight.index_select(1, units).contiguous(memory_format=self.order),
            None if taken else convolution.bias,
            convolution.stride,
            convolution.padding,
            convolution.dilation,
        )
        if taken:
            # in its place: new memory would take as long as the difference
            torch.sub(self.outputs, part, out=part)
        return self.before.fork_behind(self.number, part)


def next_convolution(operations: Operations, layer: str) -> int | None:
    """The number of the operation that is the only one to which the channels of a layer go, in
    which silent ones are still silent, and which is a plain convolution."""
    start = number = operations.place[layer]
    while len(users := list(operations.nodes[number].users)) == 1:
        number = operations.nodes.index(users[0])
        module = operations.module(number)
        if _has_hooks(module) or not (type(module) in _KEEP_ZERO or _is_plain(module)):
            return None
        if _is_plain(module):
            # lesions of later layers are made where these run
            passed = any(start < place < number for place in operations.place.values())
            return None if passed else number
    return None


def _is_plain(module: nn.Module | None) -> bool:
    return type(module) is nn.Conv2d and module.groups == 1 and module.padding_mode == "zeros"


def _has_hooks(module: nn.Module | None) -> bool:
    return module is not None and bool(module._forward_hooks or module._forward_pre_hooks)
