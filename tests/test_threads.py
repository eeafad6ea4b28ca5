"""Small products run on one thread, whoever calls, and the caller's threads come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import pruned_mlp
from threadpoolctl import threadpool_info, threadpool_limits

from modclust_utils import clustering, nulls
from modclust_utils.threads import one_thread

WEIGHTS = pruned_mlp((12, 9, 8, 5), seed=0, sparsity=0.5)
GRAPH = np.kron(np.eye(3), np.ones((4, 4))) + 0.1


def threads() -> set[int]:
    return {torch.get_num_threads(), *(each["num_threads"] for each in threadpool_info())}


def test_one_thread_and_then_as_many_as_before():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threadpool_limits(2):
            outside = threads()
            with one_thread():
                assert threads() == {1}
            assert threads() == outside
            with pytest.raises(ZeroDivisionError), one_thread():
                1 / 0  # noqa: B018
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("module", "call"),
    [
        (nulls, lambda: nulls.shuffle_test(WEIGHTS, 2, n_shuffles=2, mode="layer", rng=0)),
        (nulls, lambda: nulls.random_ncuts((6, 5, 4), 2, n_networks=2, rng=0)),
        (clustering, lambda: clustering.cluster_network(WEIGHTS, 2, rng=0)),
        (clustering, lambda: clustering.spectral_clustering(GRAPH, 3, rng=0)),
    ],
    ids=["shuffle_test", "random_ncuts", "cluster_network", "spectral_clustering"],
)
def test_a_plain_call_clusters_on_one_thread(monkeypatch, module, call):
    seen, kmeans = [], module.kmeans

    def watched(*arguments):
        seen.append(threads())
        return kmeans(*arguments)

    monkeypatch.setattr(module, "kmeans", watched)
    before = threads()
    call()
    assert seen
    assert all(each == {1} for each in seen)
    assert threads() == before
