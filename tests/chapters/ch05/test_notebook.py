"""Chapter 5 from end to end in a small book: what the page shows, and where it comes from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from drawn import fits_and_leaves_no_trace
from finished import Done, check_page, finished, strips, tables_of, verdicts_of
from small_book import write_bands

from modclust_utils import modularity, similarity
from modclust_utils.chapters.ch05_similarity import figures, figures_clusters, tables
from modclust_utils.publish.chapters import chapter_notebook
from modclust_utils.recipes.similarity_clusters import VARIANTS

SWEEPS = {"l2": [0.0001, 0.01], "l1": [0.0001, 0.001], "dropout_rates": [0.1, 0.4]}
N_TRAINED, N_UNTRAINED = 12, 3


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Iterator[Done]:
    """The one real run of this module."""
    folder = tmp_path_factory.mktemp("chapter")
    values = {
        "dataset": str(write_bands(folder / "bands.npz", n_train=2000, n_test=100)),
        **SWEEPS,
        "n_networks": 2,
        "n_untrained": N_UNTRAINED,
        "max_epochs": 8,
        "n_steps": 30,
        "n_starts": 1,
        "n_shuffles": 3,
        "n_jobs": 1,
    }
    with finished(folder, 5, values) as found:
        yield found


@pytest.fixture(scope="module")
def networks(done):
    return tables.networks(done.frames["networks"], done.p.least_accuracy)


@pytest.fixture(scope="module")
def scores(done, networks):
    return tables.scores(done.frames["clusters"], networks, tables.Reading())


@pytest.fixture(scope="module")
def agreement(done, networks):
    return tables.agreement(done.frames["clusters"], networks, tables.Reading())


def test_page(done):
    check_page(done, figures=14, tables=5)
    assert verdicts_of(done) == {"not attempted"}


def test_strips_name_the_records_behind_them(done):
    every = N_TRAINED + N_UNTRAINED
    found = {name: facts for name, (facts, _) in strips(done).items()}
    assert found["tiny-network"]["Source"] == "a network whose weights were chosen by hand"
    assert found["performance"]["Records"] == f"{every} regularized-network"
    both = f"{every} regularized-network, {every} similarity-clusters"
    for name in ("modularity", "agreement", "searches", "number-of-clusters-1"):
        assert sorted(found[name]["Records"].split(", ")) == sorted(both.split(", "))
    assert f"{every} shuffle-test" in found["two-measures"]["Records"]
    assert "3 similarity-matrices" in found["similarity-matrices"]["Records"]


def test_every_network_has_its_place_in_a_sweep(networks):
    places = networks.groupby("sweep")["strength"].apply(lambda s: sorted(set(s))).to_dict()
    assert places == {
        "L2": SWEEPS["l2"],
        "L1": SWEEPS["l1"],
        "dropout": SWEEPS["dropout_rates"],
        "untrained": [0.0],
    }
    assert networks.groupby("sweep").size().to_dict() == {
        "L2": 4,
        "L1": 4,
        "dropout": 4,
        "untrained": N_UNTRAINED,
    }
    assert networks.loc[networks["sweep"] == "untrained", "kept"].all()


def test_scores_are_entries_of_the_records(done, scores):
    records = done.frames["clusters"].set_index("network")["record"]
    assert len(scores) == len(records) * 16
    for row in scores.iloc[::7].itertuples():
        where = (row.layer, "of_mean", "max" if row.normalized else "none", row.measure)
        value = records[row.network].value
        for column in ("q", "q_start", "q_null", "q_single", "n_clusters", "n_unused"):
            assert getattr(row, column) == pytest.approx(value[column][VARIANTS.index(where)])


def test_another_reading_has_other_entries(done, networks, scores):
    other = tables.Reading("mean_of", "sqrt", "leiden")
    found = tables.scores(done.frames["clusters"], networks, other)
    record = done.frames["clusters"]["record"].iloc[0]
    first = found.iloc[0]
    where = (first.layer, "mean_of", "sqrt" if first.normalized else "none", first.measure)
    assert first.q == pytest.approx(record.value["q_leiden"][VARIANTS.index(where)])
    assert not np.allclose(found["q"], scores["q"])


def test_agreement_is_that_of_the_labels(done, agreement):
    records = done.frames["clusters"].set_index("network")["record"]
    assert len(agreement) == len(records) * 2 * 28
    row = agreement.iloc[60]
    labels = [
        records[row.network].arrays["labels"][
            VARIANTS.index((row.layer, "of_mean", "max" if normalized else "none", measure))
        ]
        for measure, normalized in (tables.SIMILARITIES[row.a], tables.SIMILARITIES[row.b])
    ]
    assert row.similarity == pytest.approx(modularity.element_similarity(*labels))


def test_page_counts_what_its_tables_hold(done, networks):
    text = "\n".join(done.outputs("text/markdown"))
    lost = int((~networks["kept"]).sum())
    assert f"{N_TRAINED} networks were trained, 6 settings with 2 seeds each" in text
    assert f"{lost} have a test accuracy below 80%" in text
    data = tables_of(done)
    assert len(data["performance"]) == N_TRAINED + N_UNTRAINED
    assert "No claim of 20 was attempted in this run" in text
    assert f"or after {done.p.max_epochs} epochs" in text
    assert "**A caveat of the paper** (Figure S5, ii)" in text


def test_searches_are_compared_on_the_networks_that_are_kept(done, networks):
    kept = int(networks["kept"].sum())
    assert len(tables_of(done)["searches"]) == 16 * kept


def test_page_names_the_epsilon_of_the_package():
    """10 to the power that the page prints."""
    eps = inspect.signature(similarity.normalize).parameters["eps"].default
    cells = nbformat.read(chapter_notebook(5), as_version=4).cells
    (power,) = re.findall(r"ours\s+is \$10\^\{(-\d+)\}\$", "\n".join(c.source for c in cells))
    assert eps == float(f"1e{power}")


def test_drawn_networks_are_called_what_they_are(done):
    drawn = tables.drawn_matrices(done.frames["drawn"], done.frames["clusters"], tables.Reading())
    # the first network without dropout is one of the first sweep
    assert drawn["network"].unique().tolist() == [
        "untrained",
        "L2 0.0001, no dropout",
        "dropout 0.4",
    ]


def test_figures_fit_the_page(done, networks, scores, agreement):
    clusters = done.frames["clusters"]
    leiden = tables.scores(clusters, networks, tables.Reading(method="leiden"))
    drawn = tables.drawn_matrices(done.frames["drawn"], clusters, tables.Reading())
    both = tables.clusterability(scores, done.frames["tests"], networks)
    for draw in (
        lambda: figures.performance(networks),
        lambda: figures.modularity(scores),
        lambda: figures.modularity(scores, layer=1),
        lambda: figures.number_of_clusters(scores, layer=2),
        lambda: figures.above_null(scores),
        lambda: figures.searches(scores, leiden),
        lambda: figures.two_measures(both),
        lambda: figures_clusters.examples(drawn),
        lambda: figures_clusters.agreement(agreement),
        lambda: figures_clusters.agreement_by_strength(agreement),
        lambda: figures_clusters.agreement_by_strength(agreement, beyond_untrained=True),
        lambda: figures_clusters.tiny(tables.tiny_pairs(), tables.TINY),
    ):
        fits_and_leaves_no_trace(lambda draw=draw: draw().content)


def test_lines_of_the_modularity_figure_are_networks_and_their_means(scores):
    figure = figures.modularity(scores).content
    assert len(figure.axes) == 12
    ax = figure.axes[1]  # covariance, L1
    own = scores[(scores["sweep"] == "L1") & scores["kept"] & (scores["measure"] == "covariance")]
    wide = own[own["normalized"]].groupby(["strength", "seed"])["q"].mean().unstack()
    drawn = [np.asarray(line.get_ydata(), float) for line in ax.get_lines()]
    for expected in (wide[0], wide[1], wide.mean(axis=1)):
        assert any(len(y) == 2 and np.allclose(y, expected, equal_nan=True) for y in drawn)


def test_agreement_figure_writes_the_means(agreement):
    kept = agreement[agreement["kept"] & (agreement["sweep"] != "untrained")]
    expected = kept[(kept["a"] == 0) & (kept["b"] == 5)]["similarity"].mean()
    figure = figures_clusters.agreement(agreement).content
    texts = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert texts[0, 5] == f"{100 * expected:.0f}"
    with mpl.rc_context({"font.size": 20}):
        again = figures_clusters.agreement(agreement).content
    assert {t.get_position(): t.get_text() for t in again.axes[0].texts} == texts


def test_no_network_left(done):
    with pytest.raises(ValueError, match=r"least_accuracy=1\.1 discards every trained network"):
        tables.networks(done.frames["networks"], 1.1)
