"""The doors of the package: what people pass, made into what the functions work with.

One conversion for each kind of argument, used by every public function. Taken are numpy's and
torch's arrays of any precision, lists, pandas' tables and scipy's sparse matrices; networks and
graphs have their doors in `network_doors`. Whatever cannot be taken is a ValueError that names the
parameter, what came, and what is allowed; nothing is guessed, rounded or cut off on the way.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

#: The largest count: what is larger is a slip, and would be cut off or fill the memory.
MOST = 2**31 - 1

# --- numbers -------------------------------------------------------------------------------------


def as_count(name: str, value: Any, least: int = 1, most: int | None = MOST) -> int:
    """A whole number from `least` to `most`: Python's, numpy's, or that of a tensor; never a bool.

    most: None is for seeds, which may be of any size.
    """
    try:
        whole = operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        whole = None
    is_bool = isinstance(value, bool) or getattr(value, "dtype", None) in (np.bool_, torch.bool)
    if whole is None or is_bool or whole < least:
        raise ValueError(f"{name}={value!r} is not allowed: a whole number of {least} or more")
    if most is not None and whole > most:
        # Python prints no number of more than 4,300 digits
        much = repr(value) if whole < 10**100 else "(more than 100 digits)"
        raise ValueError(f"{name}={much} is not allowed: a whole number from {least} to {most}")
    return whole


def as_counts(
    name: str, values: Any, allowed: str, least: int = 1, most: int | None = MOST
) -> list[int]:
    """One or more whole numbers."""
    found = as_list(name, values, allowed)
    if len(found) == 0:
        raise ValueError(f"{name}=[] is not allowed: {allowed}")
    return [as_count(f"{name}[{i}]", value, least, most) for i, value in enumerate(found)]


def as_number(name: str, value: Any) -> float:
    """A real number, which may be NaN or infinite; never a bool or a text."""
    array = as_array(name, value, "a number")
    if array.ndim != 0 or array.dtype.kind not in "iuf":
        raise ValueError(f"{name}={value!r} is not allowed: a number")
    return float(array)


def as_share(name: str, value: Any, allowed: str) -> float:
    """A number above 0 and below 1."""
    number = as_number(name, value)
    if not 0 < number < 1:
        raise ValueError(f"{name}={value!r} is not allowed: {allowed}")
    return number


def as_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ValueError unless `value` is one of some texts."""
    if not isinstance(value, str) or value not in choices:
        allowed = " or ".join(map(repr, choices))
        raise ValueError(f"{name}={value!r} is not allowed: {allowed}")


def as_jobs(n_jobs: Any) -> int:
    """Processes as joblib counts them: a whole number but 0; -1 is one for each core."""
    try:
        jobs = as_count("n_jobs", n_jobs, least=-(2**31))
    except ValueError:
        jobs = 0
    if jobs == 0:
        raise ValueError(
            f"n_jobs={n_jobs!r} is not allowed: a whole number of processes, or -1 for all cores"
        )
    return jobs


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], allowed: str) -> None:
    """Raise ValueError unless `value` is of a type, or of one of several."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is of type {type(value).__name__}; allowed: {allowed}")


def check_callable(name: str, value: Any) -> None:
    """Raise ValueError unless `value` can be called, or is None."""
    if value is not None and not callable(value):
        raise ValueError(f"{name}={value!r} is not allowed: a function of the state, or None")


def as_sizes(layer_sizes: Any) -> tuple[int, ...]:
    """Units per layer: two layers or more, of one unit or more."""
    sizes = as_list("layer_sizes", layer_sizes, "units per layer, such as (784, 64, 10)")
    if len(sizes) < 2:
        raise ValueError(f"layer_sizes={layer_sizes!r} is not allowed: two layers or more")
    return tuple(as_counts("layer_sizes", sizes, "units per layer"))


def as_seeds(seeds: Any) -> tuple[int, ...]:
    """One seed for each network: whole numbers from 0."""
    return tuple(as_counts("seeds", seeds, "one seed for each network, whole numbers", 0, None))


def as_rng(rng: Any) -> np.random.Generator:
    """A generator: itself, or what `numpy.random.default_rng` makes of a seed; None takes a fresh
    one of the system. Global states are refused: with them no result can be had again."""
    if rng is None or isinstance(rng, np.random.SeedSequence | np.random.BitGenerator):
        rng = np.random.default_rng(rng)
    elif not isinstance(rng, np.random.Generator):
        try:
            rng = np.random.default_rng(as_count("rng", rng, 0, None))
        except ValueError as error:
            what = "numpy.random" if rng is np.random else repr(rng)
            raise ValueError(
                f"rng={what} is not allowed: a numpy.random.Generator, a seed from 0, or None"
            ) from error
    if not isinstance(rng.bit_generator.seed_seq, np.random.bit_generator.ISpawnableSeedSequence):
        raise ValueError(
            f"rng={rng!r} has a seed of the old kind, from which no streams can be spawned; "
            "allowed: what numpy.random.default_rng gives"
        )
    return rng


# --- arrays --------------------------------------------------------------------------------------


def as_array(name: str, value: Any, allowed: str) -> NDArray[Any]:
    """Any array of numbers or bools, in memory and without hidden entries, as numpy has it.

    In the order of bytes of this machine; long doubles, which torch has not, become doubles.
    """
    if isinstance(value, Tensor):
        return _in_memory(plain(name, value, allowed)).numpy()
    if sp.issparse(value):
        value = value.toarray()
    if isinstance(value, list | tuple) and any(isinstance(part, Tensor) for part in value):
        value = [as_array(name, part, allowed) for part in value]
    if _is_masked(value):
        raise ValueError(f"{name} has masked entries; allowed: {allowed}, all of them there")
    try:
        array = np.asarray(value)
    except Exception as error:  # objects make arrays of themselves in their own ways, and fail so
        raise ValueError(f"{name} is no array ({error}); allowed: {allowed}") from error
    if value is None:
        raise ValueError(f"{name}=None is not allowed: {allowed}")
    if array.dtype.kind not in "biufc":
        raise ValueError(f"{name} is of type {_kind(value, array)}; allowed: {allowed}")
    if array.dtype.kind in "fc" and array.dtype.itemsize > 8 * (1 + (array.dtype.kind == "c")):
        with np.errstate(over="ignore"):  # infinity is refused where it is not allowed
            array = array.astype(np.float64 if array.dtype.kind == "f" else np.complex128)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _is_masked(value: Any) -> bool:
    """Whether an array has masked entries, or one in a list, which numpy would take without."""
    if isinstance(value, list | tuple):
        return any(
            _is_masked(part) for part in value if isinstance(part, list | tuple | np.ma.MaskedArray)
        )
    return np.ma.is_masked(value)


def check_no_meta(name: str, tensor: Tensor, allowed: str) -> None:
    """Raise ValueError for a tensor that has a shape and no numbers."""
    if tensor.is_meta:
        raise ValueError(f"{name} is a meta tensor without numbers; allowed: {allowed}")


#: Whole numbers of torch with which it does not compute, and those that hold all their values.
_WIDER = {torch.uint16: torch.int32, torch.uint32: torch.int64}


def plain(name: str, tensor: Tensor, allowed: str) -> Tensor:
    """A tensor of the usual kind with the same values: dense, detached, nothing left to be done.

    Raises ValueError for a meta tensor, one of rows of several lengths, and unsigned numbers that
    are too large for a tensor with which torch computes.
    """
    check_no_meta(name, tensor, allowed)
    if tensor.is_nested:
        raise ValueError(f"{name} is a nested tensor; allowed: {allowed}, all rows of one length")
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.resolve_conj().resolve_neg()
    if tensor.dtype == torch.uint64:
        numbers = tensor.cpu().numpy()
        if numbers.max(initial=0) > np.iinfo(np.int64).max:
            raise ValueError(f"{name} holds {numbers.max()}; allowed: {allowed}, below 2**63")
        return torch.from_numpy(numbers.astype(np.int64)).to(tensor.device)
    return tensor.to(_WIDER.get(tensor.dtype, tensor.dtype))


def _in_memory(tensor: Tensor) -> Tensor:
    """A tensor on the CPU in a precision that numpy knows."""
    tensor = tensor.cpu()
    return tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor


def _kind(value: Any, array: NDArray[Any]) -> str:
    """The type of something, and of what is in it where that tells more."""
    holds = {"U": " of text", "S": " of text", "O": " of objects", "M": " of times"}
    return type(value).__name__ + (holds.get(array.dtype.kind, "") if array.ndim else "")


def as_numbers(name: str, values: Any, allowed: str = "numbers") -> NDArray[np.float64]:
    """An array of real numbers in double precision."""
    array = as_array(name, values, allowed)
    if array.dtype.kind == "c":
        raise ValueError(f"{name} holds complex numbers; allowed: real {allowed}")
    return array.astype(np.float64)


def as_sample(name: str, values: Any, least: int) -> NDArray[np.float64]:
    """A sample ``(n,)`` of `least` or more finite numbers."""
    array = as_numbers(name, values)
    if array.ndim != 1 or len(array) < least:
        raise ValueError(f"{name} has shape {array.shape}; allowed: (n,) with n of {least} or more")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; allowed: finite numbers")
    return array


def as_labels(name: str, labels: Any, n: int | None = None) -> NDArray[np.int64]:
    """Clusters of n units ``(n,)``: integers from -1, which is outside every cluster."""
    allowed = "integers from -1, below 2**63"
    array = as_array(name, labels, allowed)
    if array.ndim != 1 or (n is not None and len(array) != n):
        size = "n" if n is None else n
        raise ValueError(f"{name} has shape {array.shape}; allowed: ({size},), one per unit")
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu" or (array < -1).any() or (array >= 2**63).any():
        raise ValueError(f"{name} has entries that are no cluster; allowed: {allowed}")
    return array.astype(np.int64)


def as_units(
    name: str, units: Any, shape: tuple[int | str, ...], what: str = "one entry per unit"
) -> NDArray[np.bool_]:
    """Which units: boolean, of a shape in which a text stands for any size."""
    words = f"boolean ({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
    array = as_array(name, units, words)
    fits = len(shape) == array.ndim and all(
        isinstance(size, str) or size == own for size, own in zip(shape, array.shape, strict=False)
    )
    if array.dtype != bool or not fits:
        raise ValueError(
            f"{name} has shape {array.shape} and type {array.dtype}; allowed: {words}, {what}"
        )
    return array


def check_same_order(**named: Any) -> None:
    """Raise ValueError where tables or columns (pandas) have the same index in two orders.

    For things that are there for each unit or image: they are taken by their places, and whoever
    joins two by names would pair them in another way.
    """
    tables = {name: each.index for name, each in named.items() if hasattr(each, "iloc")}
    for (one, index), (other, another) in combinations(tables.items(), 2):
        if len(index) == len(another) and not index.equals(another) and set(index) == set(another):
            raise ValueError(
                f"{other} has the index of {one} in another order; allowed: the same order, "
                "or values without an index"
            )


# --- images and their classes --------------------------------------------------------------------


def as_images(x: Any, like: Tensor) -> Tensor:
    """Images for a network of weights `like`: arrays take their precision and device."""
    if not isinstance(x, Tensor):
        numbers = as_numbers("x", x, "images as numbers")
        x = torch.from_numpy(numbers).to(like)
    return plain("x", x, "images as numbers")


def as_classes(y: Any, device: torch.device) -> Tensor:
    """Classes as a tensor of whole numbers: floats and bools are none, even where they look so."""
    if not isinstance(y, Tensor):
        array = as_array("y", y, "whole numbers, one class for each image")
        y = torch.as_tensor(np.array(array)).to(device)
    check_no_meta("y", y, "whole numbers")
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise ValueError(
            f"y has shape {tuple(y.shape)} and is {y.dtype} on {y.device}; allowed: whole numbers, "
            "one class for each image"
        )
    return y


def check_finite(name: str, values: Tensor) -> None:
    """Raise ValueError where there is NaN or infinity."""
    # NaN is both the least and the greatest; the whole mask would be as large as the values
    if values.numel() and not torch.stack(values.aminmax()).isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity; allowed: finite numbers")


def checked_images(x: Any, weight: Tensor | None, n_in: int | None = None) -> Tensor:
    """Images ``(n, ...)``, or ``(n, n_in)``, in the precision and on the device of a network's
    weight; without one, any precision is that of the network."""
    x = as_images(x, torch.empty(0) if weight is None else weight)
    if x.ndim < 2 or x.numel() == 0 or (n_in is not None and x.shape[1:] != (n_in,)):
        shape = "..." if n_in is None else n_in
        raise ValueError(f"x has shape {tuple(x.shape)}; allowed: (n, {shape}) with n of 1 or more")
    if weight is not None and (x.dtype != weight.dtype or x.device != weight.device):
        raise ValueError(
            f"x is {x.dtype} on {x.device}; allowed: {weight.dtype} on {weight.device}, "
            "as the network"
        )
    check_finite("x", x)
    return x


def checked_classes(y: Any, x: Tensor) -> Tensor:
    """One class for each of the images x, on their device."""
    y = as_classes(y, x.device)
    if y.shape != x.shape[:1] or y.device != x.device:
        raise ValueError(
            f"y has shape {tuple(y.shape)} and is {y.dtype} on {y.device}; allowed: whole numbers "
            f"({len(x)},) on {x.device}"
        )
    return y


def check_classes(y: Tensor, n_classes: int) -> None:
    """Raise ValueError for classes that are not 0 to n_classes - 1."""
    low, high = int(y.min()), int(y.max())
    if not 0 <= low <= high < n_classes:
        raise ValueError(f"y has labels from {low} to {high}; allowed: 0 to {n_classes - 1}")


def as_training_data(
    x: Any, y: Any, n_in: int, n_classes: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Images ``(n, n_in)`` in single precision and classes ``(n,)``, checked, on a device.

    Refused is what trains without a word and means nothing: whole numbers as pixels, which are
    often meant to be divided by 255, one image again and again, and a single class.
    """
    check_same_order(x=x, y=y)
    images = as_images(x, torch.empty(0)) if isinstance(x, Tensor) else torch.as_tensor(_pixels(x))
    if not images.is_floating_point():
        raise ValueError(
            f"x holds {images.dtype}; allowed: real floats, such as pixels from 0 to 255 divided "
            "by 255"
        )
    images = images.float().to(device)
    classes = as_classes(y, device).long().to(device)
    n = len(images) if images.ndim else 0
    if images.ndim != 2 or images.shape[1] != n_in:
        raise ValueError(f"x has shape {tuple(images.shape)}; allowed: (n, {n_in})")
    if classes.shape != (n,) or n == 0:
        raise ValueError(f"y has shape {tuple(classes.shape)}; allowed: ({n},) with n of 1 or more")
    check_finite("x", images)
    check_classes(classes, n_classes)
    if n > 1 and bool((images == images[0]).all()):
        raise ValueError(f"x holds one image {n} times; allowed: different images")
    if n > 1 and bool((classes == classes[0]).all()):
        raise ValueError(f"y has one class, {int(classes[0])}; allowed: two or more")
    return images, classes


def _pixels(x: Any) -> NDArray[Any]:
    return np.array(as_array("x", x, "images (n, n_in) as floats"))


def as_list(name: str, value: Any, allowed: str) -> list[Any]:
    """The items of a sequence, or of anything that gives them one by one.

    A text is none, nor what would give something else, or in no order: a dict, a set, a table.
    """
    if isinstance(value, Mapping | set | frozenset) or hasattr(value, "columns"):
        raise ValueError(f"{name} is of type {type(value).__name__}; allowed: {allowed}")
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ValueError(f"{name}={value!r} is not allowed: {allowed}")
    try:
        return list(value)
    except TypeError as error:  # an array without axes
        raise ValueError(f"{name}={value!r} is not allowed: {allowed}") from error
