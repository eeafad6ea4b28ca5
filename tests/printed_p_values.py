"""The p-values that Filan et al. 2020 print, read without the package's own frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from modclust_utils.datasets.papers import PER_NETWORK_TABLES, paper_table


def printed_p_values(folder: Path | None = None) -> np.ndarray:
    """All p-values of Tables A.4 to A.15, shape (240,), to three decimals.

    Table by table: ten against the null `layer`, then ten against `layer-nonzero`.
    """
    tables = [paper_table(name, folder) for name in PER_NETWORK_TABLES]
    columns = ("p_value_layer", "p_value_layer_nonzero")
    return np.concatenate([table[column].to_numpy(float) for table in tables for column in columns])
