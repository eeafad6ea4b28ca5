"""What is asked about a network of one's own. Nothing here needs torch, as help does not."""

from __future__ import annotations

from dataclasses import dataclass

EDGES = ("weights", "activations")
SCOPES = ("network", "layer")
FEWEST = 19


@dataclass(frozen=True)
class Questions:
    """What is asked.

    n_clusters: of the whole network; n_shuffles: of the null at that number; partitioning, scope:
    which clusters are drawn and lesioned (`partitionings.PARTITIONINGS`); n_images: at most so many
    for clustering by activations, and as many for lesions; n_random: random sets beside each
    sub-cluster; seed: of all that is drawn.
    """

    n_clusters: int = 12
    n_shuffles: int = 100
    partitioning: str = "weights"
    scope: str = "network"
    n_images: int = 200
    n_random: int = 19
    seed: int = 0

    @property
    def fewer(self) -> int:
        """Shuffles of each other test, and random rescalings: a fifth, and where there are as many
        at least 19, of which a p-value can be 0.05."""
        return max(self.n_shuffles // 5, min(self.n_shuffles, FEWEST))

    @property
    def way(self) -> str:
        """The partitioning by its name."""
        return f"{self.partitioning}/{self.scope}"
