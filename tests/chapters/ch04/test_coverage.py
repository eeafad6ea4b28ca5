"""What of the papers' tables chapter 4 has."""

from __future__ import annotations

import pandas as pd
import pytest
from small_book import printed

from modclust_utils.chapters.ch04_specialization import coverage, tables

TEST = {
    **{"words": "VGG-16", "network": "key", "ncut": 7.0, "n_clusters": 12, "n_shuffles": 100},
    # 0.0374 is two of the printed standard deviations of the shuffles
    **{"null_mean": 8.213 - 0.0374, "null_std": 0.1, "z_score": -1.0, "p_value": 0.01},
}
NO_TESTS = pd.DataFrame([TEST]).iloc[:0]


def row(kind: str, dataset: str, measure: str, seed: int) -> dict[str, object]:
    return {
        **{"kind": kind, "dataset": dataset, "partitioning": "weights/network", "n_clusters": 16},
        **{"match": "size", "seed": seed, "measure": measure, "n_sets": 1, "fisher": 1.0, "p": 0.5},
        "reading": tables.READINGS[measure],
    }


def covered(
    rows: list[dict[str, object]],
    tests: pd.DataFrame = NO_TESTS,
    differing: tuple[str, ...] = (),
    halves: str = "halves_mnist",
) -> pd.DataFrame:
    measures = printed(pd.DataFrame(rows))
    found = coverage.coverage(
        measures,
        tables.summary(measures),
        printed(pd.DataFrame({"seed": [0, 0, 1], "dataset": halves})),
        printed(tests),
        printed(
            pd.DataFrame(
                {
                    "architecture": ["mlp", "mlp", "cnn", "cnn", "squeezenet1_0"],
                    **{"dataset": ["mnist"] * 4 + ["imagenette"], "seed": [0, 0, 0, 1, 1]},
                }
            )
        ),
        differing,
    )
    return found.set_index(["paper", "item"])


def test_cells_of_table_1():
    rows = [
        *(row("mlp", "mnist", each, seed) for each in tables.MEASURES for seed in (0, 1)),
        row("mlp", "mnist", "score", 2),
        row("cnn", "mnist", "score", 0),
        # another data set, and a network that the paper does not have
        row("vgg", "mnist", "score", 0),
        row("squeezenet1_0", "imagenette", "score", 0),
        # another reading of the text is not that of the table
        row("cnn", "mnist", "accuracy_drop", 0) | {"reading": "classes"},
    ]
    found = covered(rows).loc["casper2022", "Table 1"]
    assert (found.n_printed, found.n_beside, found.gaps) == (80, 5, ())
    assert found.n_ours == 3 + 1


def test_networks_of_the_figures():
    found = covered([row("mlp", "mnist", "score", 0), row("vgg", "cifar10_colour", "score", 0)])
    assert found["n_ours"].to_dict() == {
        ("casper2022", "Table 1"): 2,
        ("casper2022", "Figure 2"): 0,
        ("casper2022", "Figure 3"): 1,
        ("hod2021", "Figure 1"): 1,
        ("hod2021", "Figure 3"): 2,
        ("hod2021", "Figure 5"): 1,
        ("hod2021", "Figure 6"): 2,
        ("hod2021", "Figure 7"): 2,
    }


THREE = [
    *(row("mlp", "mnist", each, 0) for each in tables.MEASURES),
    row("vgg", "cifar10_colour", "score", 0),
]
COUNTS = ["n_ours", "n_ours_elsewhere"]


def test_a_narrow_vgg_is_elsewhere():
    found = covered(THREE, differing=("vgg_width", "n_convolutional_images"))
    cells = found.loc["casper2022", "Table 1"]
    assert (cells.n_beside, cells.n_elsewhere) == (4, 1)
    assert (cells.n_ours, cells.n_ours_elsewhere) == (1, 1)
    assert found.loc[("casper2022", "Figure 3"), COUNTS].tolist() == [0, 1]
    assert found.loc[("hod2021", "Figure 5"), COUNTS].tolist() == [0, 1]
    assert found.loc[("hod2021", "Figure 3"), COUNTS].tolist() == [1, 1]
    assert found.loc[("hod2021", "Figure 6"), COUNTS].tolist() == [2, 0]


def test_networks_in_bfloat16_are_elsewhere():
    """Perceptrons are trained and lesioned in float32 whatever the parameter says."""
    rows = [row(kind, data, "score", 0) for kind, data in coverage.DATASETS.items()]
    cells = covered(rows, differing=("precision",)).loc["casper2022", "Table 1"]
    assert (cells.n_beside, cells.n_elsewhere) == (1, 2)
    assert (cells.n_ours, cells.n_ours_elsewhere) == (1, 2)


def test_other_settings_are_elsewhere():
    for name in coverage.SETTINGS:
        found = covered(THREE, differing=(name,))
        assert found.loc["casper2022", "Table 1"].n_elsewhere == 5
        assert found["n_ours"].sum() == found["n_beside"].sum() == 0


def test_other_data_are_elsewhere():
    rows = [row("mlp", "mnist5k", "score", 0), row("vgg", "cifar10_colour", "score", 0)]
    found = covered(rows, halves="halves_mnist5k")
    assert found.loc[("hod2021", "Figure 1"), COUNTS].tolist() == [0, 1]
    assert found.loc[("hod2021", "Figure 6"), COUNTS].tolist() == [0, 2]
    assert found.loc[("hod2021", "Figure 3"), COUNTS].tolist() == [1, 1]
    assert found.loc[("hod2021", "Figure 7"), COUNTS].tolist() == [2, 1]


@pytest.mark.parametrize(("n_shuffles", "n_beside"), [(100, 4), (20, 0)])
def test_values_behind_figure_2(n_shuffles, n_beside):
    tests = pd.DataFrame([TEST | {"n_shuffles": n_shuffles}])
    found = covered([row("mlp", "mnist", "score", 0)], tests).loc["casper2022", "Figure 2"]
    # n-cut, shuffles, z-score and p-value of six networks
    assert (found.n_printed, found.n_beside, found.n_theirs) == (24, n_beside, 6)
    assert found.gaps == ((pytest.approx(2.0),) if n_beside else ())
