"""Fingerprints notice a change of the code behind the records, and nothing else."""

from __future__ import annotations

import importlib
import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_book import ROOT

from modclust_utils.recipes import all_recipes, fingerprints
from modclust_utils.recipes.fingerprints import fingerprint, read_module

KINDS = sorted(all_recipes())
NUMBERS = itertools.count()

TOY = {
    "__init__": "",
    "main": '''
from toy import parts
from toy.parts import SIZES, halved as half

RATE: float = 1.5

def compute(tasks, work):
    """Not part of the code."""
    return [parts.weigh(task, RATE) for task in tasks if half(task) in SIZES]

def never(task):
    return task + 1
''',
    "parts": """
from functools import cache

from toy.deep import Box

SIZES = [1, 2]
SIZES += [3]

def halved(x):
    if x < 0:
        raise ValueError(f"x={x} is not allowed: 0 or more")
    return x / 2

@cache
def weigh(values, *rest, scale=2.5, low: float | None = None, **options):
    match values:
        case [first, *_] if first:
            text = f"{first!r:>{scale}} of {low}" "joined"
        case _:
            text = b"none"
    box = Box(text)
    return {**options, "a": [v ** 2 for v in rest], -1: lambda x: (x, not x), "b": box.open()}
""",
    "deep": '''
from dataclasses import dataclass

@dataclass
class Box:
    """A box."""

    content: bytes = b""

    def open(self) -> bytes:
        """What is in it."""
        return self.content
''',
}
Change = Callable[[str], str]


def new(old: str, text: str) -> Change:
    def change(code: str) -> str:
        assert old in code
        return code.replace(old, text)

    return change


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Fingerprint of `compute` in a package with some modules changed."""
    monkeypatch.syspath_prepend(tmp_path)

    def of(**changes: Change) -> str:
        name = f"toy{next(NUMBERS)}"  # modules are read once
        (tmp_path / name).mkdir()
        for module, source in TOY.items():
            changed = changes.get(module, str)(source)
            assert (changed != source) == (module in changes)
            file = tmp_path / name / f"{module}.py"
            file.write_text(changed.replace("toy", name), encoding="utf-8")
        monkeypatch.setattr(fingerprints, "PACKAGE", name)
        importlib.invalidate_caches()
        return fingerprint([SimpleNamespace(__module__=f"{name}.main", __name__="compute")])

    return of


def moved(code: str) -> str:
    """Without `halved`, which stands elsewhere."""
    start = code.index("def halved")
    return code[:start] + code[code.index("@cache") :]


HALVED = TOY["parts"][TOY["parts"].index("def halved") : TOY["parts"].index("@cache")]


@pytest.mark.parametrize(
    "changes",
    [
        {"main": new('"""Not part of the code."""', '"""Another sentence."""')},
        {"main": new('    """Not part of the code."""\n', "")},
        {"deep": new('"""A box."""', '"""Another."""'), "main": lambda c: '"""A module."""\n' + c},
        {"parts": new("match values:", "match values:  # why")},
        {"parts": new(", **options):", ",\n    **options,\n):")},
        {"parts": new("(x, not x)", "(x, (not x))")},
        {"parts": new("low: float | None = None", "low=None")},
        {"main": new("RATE: float", "RATE: int")},
        {"deep": new("content: bytes", "content: str")},
        {"deep": new(" -> bytes", "")},
        {"parts": new("is not allowed: 0 or more", "is below 0")},
        {"main": new("task + 1", "task + 2")},
        {"main": new("from toy import parts", "import os\nfrom toy import deep, parts")},
        # how something is imported, and what it is called here
        {"main": lambda c: new("import parts", "import parts as p")(c).replace("parts.w", "p.w")},
        {
            "main": lambda c: c.replace("parts.w", "w").replace(
                "import SIZES", "import weigh, SIZES"
            )
        },
        {"main": lambda c: c.replace("halved as half", "halved").replace("half(t", "halved(t")},
        # where it stands
        {
            "parts": moved,
            "deep": lambda c: c + HALVED,
            "main": new("SIZES, halved as half", "SIZES\nfrom toy.deep import halved as half"),
        },
        {"parts": lambda c: new("Box\n", "Box, halved\n")(moved(c)), "deep": HALVED.__add__},
    ],
)
def test_what_does_not_compute_does_not_count(toy, changes):
    assert toy(**changes) == toy()


@pytest.mark.parametrize(
    "changes",
    [
        {"main": new("1.5", "1.50001")},
        {"main": new("RATE: float = 1.5", "RATE: float = None")},
        {"main": new("for task in tasks", "for task in tasks[1:]")},
        {"parts": new("2.5", "None")},
        {"parts": new("scale=2.5", "scale")},
        {"parts": new("** 2", "* 2")},
        {"parts": new("@cache\n", "")},
        {"parts": new("!r", "")},
        {"parts": new("if first", "if not first")},
        {"parts": new("-1:", "1:")},
        {"parts": new("+= [3]", "+= [4]")},
        {"parts": new("x < 0", "x < 1")},
        # that something is refused counts, only its words do not
        {"parts": new('raise ValueError(f"x={x} is not allowed: 0 or more")', "return 0")},
        {"deep": new("return self.content", "return self.content + b'!'")},
        {"deep": new('b""', 'b"full"')},
        {"deep": new("@dataclass\n", "@dataclass(frozen=True)\n")},
    ],
)
def test_code_that_is_reached_counts(toy, changes):
    assert toy(**changes) != toy()


def test_fingerprint_is_the_same_under_every_python(toy):
    # CI compares on its oldest and its newest Python what was written down on one of them
    assert toy() == "a0f3d78804311d00"


def test_module_that_is_not_there():
    with pytest.raises(ValueError, match=r"name='modclust_utils\.nothing' is no module; allowed:"):
        read_module("modclust_utils.nothing")


# The recipes of this package

OF_A_NETWORK = {"clustering", "lesions", "partition", "shuffle-test"}
#: What needs the sub-clusters of a network of chapter 4.
OF_SETS = {"input-correlations", "set-lesions", "set-visualizations"}
#: What builds a network of chapter 4 asks for the shape of its images, for which files are read.
OF_A_CLASSIFIER = OF_SETS | {"graph-shuffles", "unit-partition"}
OF_A_GRAPH = OF_A_CLASSIFIER | {"balanced-shuffles", "rescaled-ncuts", "layer-edges"}
# Of a network in other scalings of its units.
SCALED = {"balanced-shuffles", "rescaled-ncuts"}
TRAINED = {"classifier", "network", "regularized-network"}
#: What clusters a graph by k-means.
BY_KMEANS = OF_A_NETWORK | SCALED | {"graph-shuffles", "random-ncuts", "unit-partition"}


@pytest.mark.parametrize(
    ("file", "old", "text", "kinds"),
    [
        (
            "recipes/base.py",
            "[seed, int(",
            "[seed + 1, int(",
            OF_A_NETWORK | OF_A_CLASSIFIER | SCALED | {"similarity-clusters"},
        ),
        ("recipes/similarity_clusters.py", ", 8) + 0.0", ", 7) + 0.0", {"similarity-clusters"}),
        ("similarity.py", "own.sqrt()", "own", {"similarity-clusters"}),
        ("recipes/network.py", ".accuracy(images", ".accuracy(images[:9]", {"network"}),
        ("recipes/network.py", "record.arrays) // 2)]", "record.arrays) // 3)]", OF_A_NETWORK),
        ("recipes/shuffle_test.py", "null_ncuts, 6", "null_ncuts, 5", {"shuffle-test"}),
        ("recipes/random_ncuts.py", "values, 6", "values, 5", {"random-ncuts"}),
        ("recipes/partition.py", "spawn(2)", "spawn(3)[:2]", {"partition"}),
        ("recipes/lesions.py", "class_drops[i], 6", "class_drops[i], 5", {"lesions"}),
        (
            "stats.py",
            "(value - sample.mean())",
            "(value - 2 * sample.mean())",
            {"balanced-shuffles", "graph-shuffles", "shuffle-test"},
        ),
        ("kmeans.py", "clamp(min=1)", "clamp(min=2)", BY_KMEANS),
        ("datasets/derived.py", "def gray28(", "def gray28(*, ", TRAINED),
        ("datasets/dataset.py", "np.float32(255", "np.float32(256", TRAINED),
        ("cnn.py", "2 * settings.l2", "settings.l2", {"classifier"}),
        ("recipes/unit_partition.py", "torch.zeros(1", "torch.ones(1", OF_A_GRAPH),
        ("recipes/set_lesions.py", "labels, -1)", "labels, -2)", OF_SETS),
        ("recipes/set_visualizations.py", "SMALLEST = 3", "SMALLEST = 4", {"set-visualizations"}),
        ("activations.py", ").T @", ").T * 2 @", {"input-correlations"}),
        (
            "activations.py",
            "columns.sum(2)",
            "columns.mean(2)",
            {"input-correlations", "unit-partition"},
        ),
        (
            "recipes/pretrained_network.py",
            "parameter.numel()",
            "parameter.ndim",
            {"pretrained-network"},
        ),
        # what compares records, packs them and shows them computes none
        ("recipes/compare.py", "ROUNDING = 1e-6", "ROUNDING = 1e-5", set()),
        ("recipes/packing.py", "array.size / 2", "array.size / 3", set()),
        ("recipes/clustering.py", 'words="clustering', 'words="grouping', set()),
    ],
)
def test_change_in_this_package_counts_for_the_kinds_that_it_reaches(
    tmp_path, monkeypatch, file, old, text, kinds
):
    name = f"copied{next(NUMBERS)}"
    skip = shutil.ignore_patterns("publish", "chapters", "__pycache__")
    shutil.copytree(ROOT / "modclust_utils", tmp_path / name, ignore=skip)
    for path in (tmp_path / name).rglob("*.py"):
        source = path.read_text(encoding="utf-8").replace("modclust_utils", name)
        if path == tmp_path / name / file:
            source = new(old, text)(source)
        path.write_text(source, encoding="utf-8")
    before = {kind: entry["fingerprint"] for kind, entry in fingerprints.current().items()}
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(fingerprints, "PACKAGE", name)
    changed = {
        kind
        for kind, recipe in all_recipes().items()
        if before[kind]
        != fingerprint(
            SimpleNamespace(
                __module__=f.__module__.replace("modclust_utils", name), __name__=f.__name__
            )
            for f in (recipe.compute, *recipe.code)
        )
    }
    assert changed == kinds


# What is committed


@pytest.mark.parametrize("kind", KINDS)
def test_committed_fingerprint_is_that_of_the_code(kind):
    assert fingerprints.committed().get(kind) == fingerprints.current()[kind], (
        f"the code behind {kind!r} records changed. If their values can change, raise the version "
        "of the recipe: its records will be computed again. In any case renew the fingerprint: "
        "`python -m modclust_utils.recipes.fingerprints`, and commit fingerprints.json."
    )


def test_every_committed_fingerprint_belongs_to_a_kind():
    assert sorted(fingerprints.committed()) == KINDS


def test_write_says_what_it_renewed(tmp_path, monkeypatch):
    file = tmp_path / "fingerprints.json"
    monkeypatch.setattr(fingerprints, "FILE", file)
    assert fingerprints.committed() == {}
    assert fingerprints.write() == KINDS
    assert json.loads(file.read_text(encoding="utf-8")) == fingerprints.current()
    assert fingerprints.write() == []
    recipes = dict(all_recipes())
    recipes["network"] = replace(recipes["network"], version=recipes["network"].version + 1)
    monkeypatch.setattr(fingerprints, "all_recipes", lambda: recipes)
    assert fingerprints.write() == ["network"]
    assert fingerprints.committed()["network"]["version"] == recipes["network"].version
