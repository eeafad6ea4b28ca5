"""How the tensors of a file come into the module that an architecture builds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from modclust_utils.doors import check_kind
from modclust_utils.own.architectures import Called
from modclust_utils.pretrained.weight_files import put_into

_UNCOUNTED = "num_batches_tracked"
_MASKED, _MASK = "_orig", "_mask"
_SHOWN = 8


@dataclass(frozen=True)
class Keys:
    """How the tensors of a file fit those of the network: names of those that do not."""

    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    of_another_shape: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """Why the network is not what the file says, "" where it is."""
        parts = [
            f"{words}: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
            for words, names in (
                ("missing in the file", self.missing),
                ("of another shape", self.of_another_shape),
            )
            if names
        ]
        return "; ".join(parts)


def unmasked(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Weights times the masks that torch.nn.utils.prune keeps beside them, in their places."""
    found = {}
    for name, each in tensors.items():
        stem = name.removesuffix(_MASKED)
        mask = tensors.get(f"{stem}{_MASK}") if name.endswith(_MASKED) else None
        if mask is not None and mask.shape == each.shape:
            found[stem] = each * mask
        elif not (name.endswith(_MASK) and f"{name.removesuffix(_MASK)}{_MASKED}" in tensors):
            found[name] = each
    n = len(tensors) - len(found)
    return found, [f"{n} tensors of weights were multiplied by their masks of pruning."] * (n > 0)


def _built(build: Callable[[], nn.Module]) -> nn.Module:
    try:
        module = build()
    except ValueError:
        raise
    except Exception as error:  # code of any kind runs here
        raise ValueError(f"architecture fails ({error}); allowed: what gives a module") from error
    check_kind("architecture", module, nn.Module, "what gives a torch.nn.Module")
    return module.float()


def _classes(build: Called, tensors: Mapping[str, Tensor], keys: Keys) -> Called | None:
    """The architecture for as many classes as the file has, where that makes all shapes fit: the
    usual case of a network that was trained on other images."""
    last = tensors[keys.of_another_shape[-1].partition(" ")[0]]
    if not last.ndim or not build.takes("num_classes"):
        return None
    other = Called(build.where, {"num_classes": len(last)}, build.sha256)
    try:
        module = other()
    except ValueError:
        return None
    return None if compared_keys(module, tensors).of_another_shape else other


def _without_prefix(
    module: nn.Module, tensors: Mapping[str, Tensor]
) -> tuple[Mapping[str, Tensor], list[str]]:
    """Tensors without a first part that all names have, such as "model.", where that makes all of
    them fit a module."""
    first = {name.partition(".")[0] for name in tensors}
    shorter = {name.partition(".")[2]: tensor for name, tensor in tensors.items()}
    if len(first) > 1 or not compared_keys(module, tensors).problem:
        return tensors, []
    if compared_keys(module, shorter).problem:
        return tensors, []
    return shorter, [f"'{first.pop()}.' was taken off the names."]


def fitted(
    build: Callable[[], nn.Module], tensors: Mapping[str, Tensor]
) -> tuple[nn.Module, Callable[[], nn.Module], Keys, list[str]]:
    """The module with its weights, what builds it, which keys did not fit, and what to say."""
    module = _built(build)
    tensors, notes = _without_prefix(module, tensors)
    keys = compared_keys(module, tensors)
    if keys.of_another_shape and isinstance(build, Called):
        other = _classes(build, tensors, keys)
        if other is not None:
            module, build = _built(other), other
            keys = compared_keys(module, tensors)
            n = other.options["num_classes"]
            notes.append(f"The architecture was built for {n} classes, as the file has them.")
    if keys.unknown:
        left = ", ".join(keys.unknown[:_SHOWN])
        more = f" and {len(keys.unknown) - _SHOWN} more" if len(keys.unknown) > _SHOWN else ""
        notes.append(f"Of the file, the architecture has no place for: {left}{more}.")
    state = module.state_dict()
    put_into(module, {k: v for k, v in tensors.items() if k in state and v.shape == state[k].shape})
    return module, build, keys, notes


def compared_keys(module: nn.Module, tensors: Mapping[str, Tensor]) -> Keys:
    """Which tensors do not fit the state of a module."""
    state = module.state_dict()
    return Keys(
        tuple(k for k in state if k not in tensors and not k.endswith(_UNCOUNTED)),
        tuple(k for k in tensors if k not in state),
        tuple(
            f"{k} {tuple(tensors[k].shape)} in place of {tuple(state[k].shape)}"
            for k in state
            if k in tensors and tensors[k].shape != state[k].shape
        ),
    )
