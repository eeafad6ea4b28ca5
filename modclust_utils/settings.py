"""How networks are trained: plain values, checked without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained; the defaults are those of paper A (section 3, appendix A.2)."""

    layer_sizes: tuple[int, ...] = (784, 256, 256, 256, 256, 10)
    dropout_rate: float = 0.0
    epochs: int = 20
    pruning_epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 1e-3
    initial_sparsity: float = 0.5
    final_sparsity: float = 0.9
    pruning_interval: int = 10
    shuffle: bool = True

    def __post_init__(self) -> None:
        rules = {
            "layer_sizes": (
                len(self.layer_sizes) >= 2 and min(self.layer_sizes) >= 1,
                "at least two layers of at least one unit",
            ),
            "dropout_rate": (0.0 <= self.dropout_rate < 1.0, "0 <= dropout_rate < 1"),
            "epochs": (self.epochs >= 0, "0 or more"),
            "pruning_epochs": (self.pruning_epochs >= 0, "0 or more"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "learning_rate": (self.learning_rate > 0, "above 0"),
            "initial_sparsity": (
                0.0 <= self.initial_sparsity <= self.final_sparsity,
                "0 <= initial_sparsity <= final_sparsity",
            ),
            "final_sparsity": (self.final_sparsity < 1.0, "below 1"),
            "pruning_interval": (self.pruning_interval >= 1, "1 or more"),
        }
        for name, (holds, allowed) in rules.items():
            if not holds:
                raise ValueError(f"{name}={getattr(self, name)!r} is not allowed: {allowed}")
