"""The command `modclust verify`: which records, what is printed, and the exit status."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modclust_utils.distributions import POWER, TwoSamples
from modclust_utils.publish.chapters import chapter_notebook, plan
from modclust_utils.publish.engine import planned
from modclust_utils.publish.errors import RecordError
from modclust_utils.publish.origins import changes, origins, sentences
from modclust_utils.publish.parameters import read_schema
from modclust_utils.publish.records import RecordStore, default_store, published_folder
from modclust_utils.publish.retrain import Retrained, conditions, find_condition, retrain
from modclust_utils.publish.session import Run, progress
from modclust_utils.publish.verify import COMPUTABLE, Looked, Survey, Way, draw, verify_all

_HEADS = {
    Way.EXACTLY: "can be computed again exactly",
    Way.PARTLY: "can be computed again in part",
    Way.STATISTICALLY: "can be checked only statistically (--retrain)",
    Way.NOT_AT_ALL: "cannot be checked at all",
    Way.WRONG: "are wrong as they stand",
}


def everything(n: int, files: Sequence[str], rng: np.random.Generator) -> int:
    """Verify a sample of all records; the exit status."""
    store = default_store()
    return verify_sample(store, Survey(store, files), list(store), n, rng)


def chapter(
    number: int,
    parameters: Mapping[str, Any],
    n: int,
    files: Sequence[str],
    rng: np.random.Generator,
) -> int:
    """Verify a sample of the records of a chapter's run; the exit status."""
    run = _run(number, parameters)
    jobs = planned(plan(number, run.p))
    paths = [path for place in jobs if (path := run.store.find(*place))]
    own = {job.images.dataset: None for job in jobs.values() if job.images is not None}
    named = [*files, *(file for file in own if file.endswith(".npz"))]
    survey = Survey(run.store, named, run.p.data_folder or None)
    print(f"{len(paths):,} of the {len(jobs):,} records of this run are here.")
    return verify_sample(run.store, survey, paths, n, rng)


def retrained(
    number: int, parameters: Mapping[str, Any], name: str, rng: np.random.Generator
) -> int:
    """Train a condition of a chapter's run anew and compare; the exit status."""
    run = _run(number, parameters)
    condition = find_condition(conditions(plan(number, run.p)), name)
    with run.crew() as crew:
        found = retrain(condition, crew=crew, progress=progress, rng=rng)
    return print_retrained(found)


def _run(number: int, parameters: Mapping[str, Any]) -> Run:
    return Run(number, dict(parameters), read_schema(chapter_notebook(number)), default_store())


def verify_sample(
    store: RecordStore, survey: Survey, paths: Sequence[Path], n: int, rng: np.random.Generator
) -> int:
    """Say how each record can be checked, compute a sample again, and compare; the exit status.

    1 where a record differs, is wrong as it stands or was altered since it was committed, and where
    none can be computed again.
    """
    if not paths:
        raise RecordError("there is no record yet: run a chapter first")
    looked = [survey.look(path) for path in paths]
    print_survey(looked)
    altered = print_history(looked)
    wrong = [each for each in looked if each.way is Way.WRONG]
    for each in wrong:
        print(f"WRONG: {each.reason}")
    chosen = draw(looked, n, rng)
    n_computable = sum(each.way in COMPUTABLE for each in looked)
    if not chosen:
        print("None of them can be computed again from what is here.")
        return 1
    of = "all" if len(chosen) == n_computable else f"{len(chosen):,}, drawn at random,"
    print(f"Of these {n_computable:,} records {of} are computed again:", flush=True)
    partly = {each.path for each in chosen if each.way is Way.PARTLY}
    checks = []
    for check in verify_all(store, chosen):
        checks.append(check)
        word = "DIFFERS" if not check.agrees else "agrees"
        word += " in part" * (check.agrees and check.path in partly)
        print(f"{word}: {check.path.parent.name}/{check.path.name}: {check.difference}", flush=True)
    agree = sum(check.agrees for check in checks)
    print(
        f"{agree:,} of {len(checks):,} records agree, {len(partly):,} of them looked at in part; "
        f"{len(looked) - len(checks):,} of {len(looked):,} were not computed again"
    )
    return 0 if agree == len(checks) and not wrong and not altered else 1


def print_survey(looked: Sequence[Looked]) -> None:
    """In how many ways how many records can be checked, with the reasons."""
    print(f"{len(looked):,} records:")
    for way, head in _HEADS.items():
        there = [each for each in looked if each.way is way]
        if not there and way is Way.WRONG:
            continue
        print(f"  {len(there):,} {head}")
        kinds = Counter((each.path.parent.name, "" if way is Way.WRONG else each.reason)
                        for each in there)  # fmt: skip
        for (kind, reason), n in sorted(kinds.items()):
            print(f"    {n:,} {kind}" + f": {reason}" * bool(reason))


def print_history(looked: Sequence[Looked]) -> bool:
    """What the history of the repository says of the records; whether some were altered since."""
    made = [(each.path.parent.name, each.record.provenance) for each in looked if each.record]
    for sentence in sentences(origins(made)):
        print(sentence)
    folder = published_folder()
    if not any(each.path.is_relative_to(folder) for each in looked):
        return False
    found = changes(folder)
    if found is None:
        print("Whether published records were altered since their commit cannot be seen here.")
        return False
    print(f"{found.same:,} published records say what they said when they were first committed.")
    if found.remade:
        print(f"{found.remade:,} were computed again since, and came out the same to the bit.")
    if found.new:
        print(f"{found.new:,} published records are not committed yet.")
    for sentence in found.replaced_by_kind():
        print(sentence)
    for name in found.altered:
        print(f"ALTERED since it was first committed: {name}")
    return bool(found.altered)


def print_retrained(found: Retrained) -> int:
    """Both distributions side by side, the tests and the verdict; the exit status."""
    print(
        f"{found.condition}: {found.n} networks in the records, and as many trained anew; "
        f"{found.same} of these are the recorded ones to the bit."
    )
    for name in found.left_out:
        print(f"Not compared, since fewer than two networks have it: {name}")
    rows = [["", "records", "trained anew", "p (mean)", "p (shape)", "p (adjusted)", "seen from",
             "verdict"]]  # fmt: skip
    rows += [_row(number) for number in found.numbers]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    print(
        "Mean ± standard deviation. p (mean): permutation test; p (shape): Kolmogorov and Smirnov, "
        f"by permutations too; adjusted after Holm for {2 * len(found.numbers)} tests, at 5 %. "
        "Seen from: the difference of means that the first test would have seen with a chance of "
        f"{POWER:.0%}."
    )
    words = {
        "differ": "The networks trained anew come from ANOTHER distribution than the records.",
        "cannot tell": "So few networks cannot tell: some numbers could not have differed visibly.",
        "no difference": "No difference was seen between records and networks trained anew.",
    }
    print(words[found.verdict])
    return 0 if found.verdict == "no difference" else 1


def _row(number: TwoSamples) -> list[str]:
    sides = [f"{x.mean():.4f} ± {x.std(ddof=1):.4f}" for x in (number.kept, number.again)]
    p = [f"{each:.3f}" for each in (number.p_mean, number.p_shape, number.adjusted)]
    seen = "nothing" if math.isnan(number.visible) else f"± {number.visible:.4f}"
    return [number.name, *sides, *p, seen, number.verdict()]
