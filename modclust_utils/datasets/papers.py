"""The papers' printed numbers, read from `data/papers/*.csv` (its README explains the columns)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from modclust_utils.datasets.dataset import DataError
from modclust_utils.paths import root

#: Filan et al. 2020: one table for each data set, dropout setting and state of pruning.
PER_NETWORK_TABLES = tuple(f"filan2020_table_a{number}" for number in range(4, 16))
FOLDER = Path("data") / "papers"  # of the repository


def paper_table(name: str, folder: Path | None = None) -> pd.DataFrame:
    """One table of a paper, a row for each printed row, such as `filan2020_table_1`.

    Numbers come as int or float, and `true`/`false` as bool; `attrs["source"]` says in words where
    they are printed. `folder` holds the tables; by default it is `data/papers` of the repository.

    Raises `FileNotFoundError` for a folder without tables, `ValueError` for an unknown name,
    `DataError` for a file that is no table.
    """
    folder = root() / FOLDER if folder is None else Path(folder)
    files = {file.stem: file for file in sorted(folder.glob("*.csv"))}
    if not files:
        raise FileNotFoundError(
            f"folder={str(folder)!r} holds no tables: it must be a folder of .csv files, "
            "such as `data/papers` of the repository."
        )
    if name not in files:
        raise ValueError(f"name={name!r} is not a paper's table. Allowed: {', '.join(files)}.")
    try:
        table = pd.read_csv(files[name])
    except (OSError, ValueError) as error:
        raise DataError(
            f"{files[name]} cannot be read ({error}). Repair it, or take it from the book's "
            "repository again (git checkout)."
        ) from error
    table.attrs["source"] = source(name)
    return table


def beside(paper: pd.DataFrame, ours: pd.DataFrame, on: Sequence[str]) -> pd.DataFrame:
    """The rows of a printed table that are about what a table of ours is about.

    on: the columns that say what a row is about, in both tables. Where no row is left, the table is
    no source of what is made from it.
    """
    if ours.empty:
        return paper.iloc[:0]
    here = set(ours[[*on]].itertuples(index=False, name=None))
    keep = [row in here for row in paper[[*on]].itertuples(index=False, name=None)]
    return paper.loc[keep].reset_index(drop=True)


def source(name: str) -> str:
    """Where a table is printed, such as "Filan et al. 2020, Table 1 (data/papers/...)"."""
    paper, _, place = name.partition("_")
    if place != "text":
        place = place.capitalize().replace("_a", " A.").replace("_", " ")
    return f"{paper_name(paper)}, {place} ({FOLDER.as_posix()}/{name}.csv)"


def paper_name(paper: str) -> str:
    """What a page calls a paper by its short name: "Filan et al. 2020" for ``filan2020``."""
    return f"{paper[:-4].capitalize()} et al. {paper[-4:]}"
