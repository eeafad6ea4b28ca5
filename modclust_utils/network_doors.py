"""The doors for networks and graphs: layers of torch and Keras, tables, graphs of networkx.

As in `doors`: taken as what they are, or refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from modclust_utils.doors import as_array, as_list, plain

Matrix = NDArray[np.floating] | Tensor


def as_weights(weights: Any) -> list[Matrix]:
    """The weight matrices of a network in torch layout ``(n_out, n_in)``, checked.

    From a list of matrices (arrays, tensors, lists, tables, sparse matrices, Linear layers), from
    the parameters or the state of a torch module, biases left out, from a Sequential of Linear
    layers, from an MLP, or from a Keras model, whose matrices need to be transposed.
    """
    parts = _without_biases([_matrix(i, part) for i, part in enumerate(_parts(weights))])
    if len(parts) == 0:
        raise ValueError("weights=[] is not allowed: one matrix (n_out, n_in) for each layer")
    kind = Tensor if isinstance(parts[0], Tensor) else np.ndarray
    for index, part in enumerate(parts):
        if not isinstance(part, kind):
            raise ValueError(
                f"weights[{index}] is of type {type(part).__name__}; "
                "allowed: numpy arrays only, or torch tensors only"
            )
        if part.ndim != 2:
            raise ValueError(f"weights[{index}] has shape {tuple(part.shape)}; allowed: 2-d")
        if kind is Tensor and part.device != parts[0].device:
            raise ValueError(f"weights[{index}] is on {part.device}; allowed: {parts[0].device}")
        if not bool((torch if kind is Tensor else np).isfinite(part).all()):
            raise ValueError(f"weights[{index}] holds NaN or infinity; allowed: finite numbers")
    _check_layout(parts)
    return parts


def _parts(weights: Any) -> list[Any]:
    allowed = "a list of matrices (n_out, n_in), one for each layer"
    if isinstance(weights, nn.Module):
        return _linears(weights)
    if isinstance(weights, Mapping):
        return _of_state(weights)
    if isinstance(getattr(weights, "weights", None), list | tuple):  # an MLP, or a Keras model
        return list(weights.weights)
    if getattr(weights, "ndim", 0) == 2:
        raise ValueError(
            f"weights is one matrix of shape {tuple(weights.shape)}; allowed: {allowed}, "
            "such as [weights]"
        )
    found = []
    for part in as_list("weights", weights, allowed):
        found += _linears(part) if isinstance(part, nn.Module) else [part]
    return found


def _linears(module: nn.Module) -> list[Tensor]:
    """Weights of the Linear layers of a Sequential, in their order; other parts have none."""
    if isinstance(module, nn.Linear):
        return [weight_of(module)]
    if isinstance(module, nn.Sequential):
        return [weight for part in module for weight in _linears(part)]
    if any(True for _ in module.parameters()):
        raise ValueError(
            f"weights has a {type(module).__name__}, whose layers may be connected in any way; "
            "allowed: Linear, a Sequential of them, or the list of its matrices in their order"
        )
    return []


def weight_of(module: nn.Linear) -> Tensor:
    """The weights of a layer; where torch.nn.utils.prune masks them, as they are now: what it
    keeps under their name is of the last pass."""
    if hasattr(module, "weight_orig") and hasattr(module, "weight_mask"):
        return module.weight_orig * module.weight_mask
    return module.weight


def _of_state(state: Mapping[Any, Any]) -> list[Any]:
    """The values of a state in their order, masked where torch.nn.utils.prune has a mask.

    Raises ValueError for a weight that is no matrix, such as the gain of a LayerNorm, which would
    be taken for a bias.
    """
    found = []
    for key, value in state.items():
        stem = str(key).removesuffix("_orig")
        mask = state.get(f"{stem}_mask") if stem != key else None
        if str(key).endswith("_mask") and f"{str(key).removesuffix('_mask')}_orig" in state:
            continue
        if stem.endswith("weight") and getattr(value, "ndim", 2) != 2:
            raise ValueError(
                f"weights[{key!r}] has shape {tuple(value.shape)}; allowed: matrices (n_out, n_in) "
                "and biases, no other layers"
            )
        found.append(value if mask is None else value * mask)
    return found


def _matrix(index: int, part: Any) -> Matrix:
    name, allowed = f"weights[{index}]", "a matrix (n_out, n_in) of real numbers"
    if isinstance(part, Tensor):
        part = plain(name, part, allowed)
        # torch computes little in precisions of one byte
        part = part.float() if part.is_floating_point() and part.itemsize == 1 else part
        is_complex = part.is_complex()
    else:
        part = as_array(name, part, allowed)
        is_complex = part.dtype.kind == "c"
    if is_complex:
        raise ValueError(f"{name} holds complex numbers; allowed: {allowed}")
    return part


def _without_biases(parts: list[Matrix]) -> list[Matrix]:
    """Without vectors that come right after a matrix and are as long as one of its sides.

    Raises ValueError where some matrices have one and others have none: it may be the gain of a
    norm between them as well.
    """
    is_bias = [
        before is not None and (before.ndim, part.ndim) == (2, 1) and part.shape[0] in before.shape
        for before, part in pairwise([None, *parts])
    ]
    kept = [part for part, bias in zip(parts, is_bias, strict=True) if not bias]
    if sum(is_bias) not in (0, len(kept)) and all(part.ndim == 2 for part in kept):
        raise ValueError(
            f"weights has {len(kept)} matrices and {sum(is_bias)} vectors, which may be biases or "
            "factors of a norm; allowed: a bias for each matrix, or matrices alone"
        )
    return kept


def as_tensors(name: str, parts: Any) -> list[Tensor]:
    """Real arrays as tensors in the precision that they have, detached."""
    found = []
    for index, part in enumerate(as_list(name, parts, "a list of tensors")):
        if not isinstance(part, Tensor):
            part = torch.as_tensor(np.array(as_array(f"{name}[{index}]", part, "real numbers")))
        part = plain(f"{name}[{index}]", part, "real numbers")
        if part.is_complex() or part.ndim == 0:
            raise ValueError(
                f"{name}[{index}] has shape {tuple(part.shape)} and is {part.dtype}; "
                "allowed: arrays of real numbers"
            )
        # torch computes little in precisions of one byte
        found.append(part.float() if part.is_floating_point() and part.itemsize == 1 else part)
    return found


def as_stack(name: str, matrices: Any) -> Tensor:
    """One matrix or a batch of them ``(..., n_out, n_in)`` as a tensor that numpy can read."""
    allowed = "real numbers (..., n_out, n_in)"
    if not isinstance(matrices, Tensor):
        matrices = torch.as_tensor(np.array(as_array(name, matrices, allowed)))
    matrices = plain(name, matrices, allowed)
    if matrices.ndim < 2 or matrices.is_complex():
        raise ValueError(
            f"{name} has shape {tuple(matrices.shape)} and is {matrices.dtype}; allowed: {allowed}"
        )
    return matrices.float() if matrices.itemsize < 4 else matrices


def _check_layout(parts: Sequence[Matrix]) -> None:
    """Raise ValueError unless each matrix reads what the one before it writes."""
    of_keras = len(parts) > 1 and all(a.shape[1] == b.shape[0] for a, b in pairwise(parts))
    for index, (first, second) in enumerate(pairwise(parts)):
        if second.shape[1] != first.shape[0]:
            hint = (
                ". They follow each other as (n_in, n_out), as Keras has it: pass "
                "[w.T for w in weights]"
            )
            raise ValueError(
                f"weights[{index + 1}] has shape {tuple(second.shape)}, which does not follow "
                f"{tuple(first.shape)}; allowed: (n, {first.shape[0]}){hint if of_keras else ''}"
            )


def as_edges(name: str, graph: Any) -> sp.csr_array:
    """The adjacency of a graph ``(n, n)`` in double precision, a copy; its values are not checked.

    From an array, a list, a tensor, a sparse matrix, a table whose rows and columns are the same
    vertices, or a graph of networkx, whose vertices keep their order.
    """
    allowed = "(n, n), or a networkx graph"
    if hasattr(graph, "nodes") and hasattr(graph, "is_directed"):
        graph = _of_networkx(name, graph)
    _check_table(name, graph)
    if not sp.issparse(graph):
        graph = as_array(name, graph, allowed)
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1]:
        raise ValueError(f"{name} has shape {tuple(graph.shape)}; allowed: {allowed}")
    if graph.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {graph.dtype}; allowed: real numbers")
    # a copy: what follows would otherwise change a sparse matrix of the caller
    return sp.csr_array(graph, dtype=np.float64, copy=True)


def _of_networkx(name: str, graph: Any) -> Any:
    """The adjacency of a graph of networkx; its edges are numbers, 1 where they have no weight."""
    import networkx

    allowed = "a networkx graph with vertices, its weights real numbers"
    try:
        for *_, weight in graph.edges(data="weight", default=1):
            if not isinstance(weight, Real | np.bool_):
                raise ValueError(f"{name} has an edge of weight {weight!r}; allowed: {allowed}")
        return networkx.to_scipy_sparse_array(graph, dtype=np.float64)
    except (networkx.NetworkXException, OverflowError, TypeError, AttributeError) as error:
        raise ValueError(f"{name} is no such graph ({error}); allowed: {allowed}") from error


def _check_table(name: str, table: Any) -> None:
    """Raise ValueError for a table (pandas) whose rows and columns are in two orders."""
    rows, columns = getattr(table, "index", None), getattr(table, "columns", None)
    if columns is None or rows is None or list(rows) == list(columns):
        return
    if set(rows) == set(columns):
        raise ValueError(
            f"{name} has rows and columns of the same names in two orders; allowed: one order"
        )
