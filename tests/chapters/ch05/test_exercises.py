"""Exercises of chapter 5: each wrong answer comes from the mistake that the check must name."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from answers import refused, said

from modclust_utils.chapters.ch05_similarity import exercises
from modclust_utils.chapters.ch05_similarity.tables import TINY
from modclust_utils.exercises import reply
from modclust_utils.modularity import element_similarity, modularity
from modclust_utils.publish.exercises import find

wrong = partial(refused, 5)


def test_driving_alike():
    incoming, outgoing = TINY
    right = (outgoing[:, 2] @ outgoing[:, 3], outgoing[:, 0] @ outgoing[:, 2])
    assert said(5, "driving-alike", right).state == "right"
    upstream = (incoming[2] @ incoming[3], incoming[0] @ incoming[2])
    assert "incoming weights" in wrong("driving-alike", upstream)
    assert "other order" in wrong("driving-alike", right[::-1])


PAIRS = np.kron(np.eye(2), np.ones((2, 2))) - np.eye(4)
PARTITIONS = ([0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 2, 3])


def quality(labels, *, of=PAIRS, minus=1.0, diagonal=True):
    """Q of the two pairs, or with a mistake in what is subtracted or divided."""
    shares = of / of.sum()
    expected = np.outer(shares.sum(0), shares.sum(0)) * (1 if diagonal else 1 - np.eye(4))
    together = np.equal.outer(labels, labels)
    return ((shares - minus * expected) * together).sum()


def test_two_pairs():
    right = [quality(np.array(labels)) for labels in PARTITIONS]
    assert right == pytest.approx([modularity(PAIRS, labels) for labels in PARTITIONS])
    assert said(5, "two-pairs", right).state == "right"
    inside = [quality(np.array(labels), minus=0) for labels in PARTITIONS]
    assert "That is the similarity inside" in wrong("two-pairs", inside)
    apart = [quality(np.array(labels), diagonal=False) for labels in PARTITIONS]
    assert "left out i = j" in wrong("two-pairs", apart)
    assert "A single unit" in wrong("two-pairs", (right[0], right[1], 0))
    with_itself = [quality(np.array(labels), of=PAIRS + np.eye(4)) for labels in PARTITIONS]
    assert "alike a unit is to itself" in wrong("two-pairs", with_itself)


def test_strength_of_l1():
    for answer in ("weakest", "strongest"):
        assert "at the penalty 1e-05, 0.36 at 1e-03" in wrong("strength-of-l1", answer)


@pytest.mark.parametrize(
    ("q", "right"),
    [
        ([0.1, 0.3, 0.2], "between"),
        ([0.3, 0.1, 0.2], "weakest"),
        ([0.1, 0.2, 0.3], "strongest"),
    ],
)
def test_strength_of_l1_flips_with_the_records(monkeypatch, q, right):
    table = pd.DataFrame({"q": q, "strength": [1e-5, 1e-4, 1e-3], "sweep": "L1"})
    monkeypatch.setattr(exercises, "networks", lambda *_: None)
    monkeypatch.setattr(exercises, "scores", lambda *_: table.assign(kept=True, normalized=True))
    for answer in ("weakest", "between", "strongest"):
        found = reply(find("strength-of-l1", 5), answer, {"networks": None, "clusters": None})
        assert found.state == ("right" if answer == right else "wrong")
        facts = f"{q[0]:.2f} at the penalty 1e-05, {max(q):.2f} at"
        # nothing is said but what the records hold
        assert (
            found.text.removeprefix("That is not so: in")
            .removeprefix("In")
            .startswith(f" the records mean modularity is {facts}")
        )
        assert found.text.endswith("accurate enough to count.")


def test_near_copies():
    q = []
    for copies in (3, 4):
        similar = np.kron(np.eye(5), np.ones((copies, copies)))
        q.append(modularity(similar - np.eye(len(similar)), np.repeat(np.arange(5), copies)))
    assert said(5, "near-copies", q).state == "right"
    assert "counted units" in wrong("near-copies", (1 - 1 / 15, 1 - 1 / 20))
    assert "by chance a part" in wrong("near-copies", (1, 1))
    assert "copies in a group" in wrong("near-copies", (1 - 1 / 3, 1 - 1 / 4))


def by_units(of):
    """The mean over units of what `of` makes of their clusters."""

    def answer(first, second):
        own = [({*np.flatnonzero(first == a)}, {*np.flatnonzero(second == b)})
               for a, b in zip(first, second, strict=True)]  # fmt: skip
        return np.mean([of(a, b) for a, b in own])

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (by_units(lambda a, b: len(a & b) / len(a | b)), "divide by the union"),
        (by_units(lambda a, b: len(a & b) / min(len(a), len(b))), "divide by the smaller"),
        (by_units(lambda a, b: len(a & b) / len(a)), "the unit's first cluster"),
        (by_units(lambda a, b: len(a & b) / len(b)), "the unit's second cluster"),
        (by_units(lambda a, b: a == b), "A part that they share"),
        (lambda a, b: (a == b).mean(), "They are arbitrary"),
        (lambda a, b: 1.0, "your function gives 1"),
        (lambda a, b: "1", "is a text"),
    ],
)
def test_element_similarity(answer, words):
    assert words in wrong("element-similarity", answer)


def test_the_similarity_of_the_package_is_right():
    assert said(5, "element-similarity", element_similarity).state == "right"
