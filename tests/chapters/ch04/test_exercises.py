"""Exercises of chapter 4: each wrong answer comes from the mistake that the check must name."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from answers import evidence, refused, said

from modclust_utils.exercises import reply
from modclust_utils.fisher_bates import centered_percentile, fisher_statistic
from modclust_utils.publish.exercises import find

wrong = partial(refused, 4)


def test_largest_statistic():
    assert said(4, "largest-statistic", fisher_statistic([1 / 40] * 7)).state == "right"
    assert "r/20" in wrong("largest-statistic", -math.log(1 / 20))
    assert "That is the percentile" in wrong("largest-statistic", 1 / 40)
    assert "base 10" in wrong("largest-statistic", -math.log10(1 / 40))
    assert "sign is missing" in wrong("largest-statistic", math.log(1 / 40))
    # as many decimals as are asked for
    assert said(4, "largest-statistic", round(math.log(40), 2)).state == "right"
    assert "two decimals" in said(4, "largest-statistic", ...).text
    assert "factor 2" in wrong("largest-statistic", -2 * math.log(1 / 40))


def test_twenty_ranks():
    values = np.arange(20.0)
    percentiles = [centered_percentile(v, values[values != v], tail="upper") for v in values]
    right = fisher_statistic(percentiles)
    assert said(4, "twenty-ranks", right).state == "right"
    assert "tail is cut off" in wrong("twenty-ranks", 1)
    assert "(r − 1/2)/20" in wrong("twenty-ranks", -np.mean(np.log(np.arange(1, 21) / 20)))
    assert "logarithm of the mean" in wrong("twenty-ranks", -math.log(np.mean(percentiles)))


def test_few_or_many_clusters():
    assert "with 8 and 1.73 with 32" in wrong("few-or-many-clusters", 32)
    assert "16 is neither 8 nor 32" in wrong("few-or-many-clusters", 16)
    assert said(4, "few-or-many-clusters", 8.0).state == "right"


def test_few_or_many_flips_with_the_records():
    frames = evidence(4, "few-or-many-clusters")
    # records of large networks decide nothing here, and need not be there
    assert {*frames["other_k"]["architecture"]} == {"mlp"}
    flipped = {
        name: table.assign(n_clusters=table["n_clusters"].replace({8: 32, 32: 8}))
        for name, table in frames.items()
    }
    exercise = find("few-or-many-clusters", 4)
    assert reply(exercise, 32, flipped).state == "right"
    found = reply(exercise, 8, flipped)
    assert found.state == "wrong"
    assert "1.73 with 8" in found.text
    assert "neither raises nor lowers it" in found.text


def rescaled(rows=1.0, columns=1.0, *, row=True, all_units=False):
    """A function that multiplies weights into a unit and out of it by powers of c."""

    def answer(w_in, w_out, unit, c):
        w_in, w_out = w_in.copy(), w_out.copy()
        w_in[... if all_units else unit if row else (slice(None), unit)] *= c**rows
        w_out[:, unit] *= c**columns
        return w_in, w_out

    return answer


def in_place(w_in, w_out, unit, c):
    w_in[unit] *= c
    w_out[:, unit] /= c
    return w_in, w_out


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (rescaled(1, 1), "computes something else"),
        (rescaled(1, 0), "c times as loud"),
        (rescaled(0, 0), "as they were"),
        (rescaled(-1, 1), "not c times what they were"),
        (rescaled(1, -1, row=False), "a column of w_in"),
        (rescaled(1, -1, all_units=True), "of all units"),
        (in_place, "work on copies"),
        (lambda w_in, w_out, unit, c: w_in, "Both matrices"),
        (lambda w_in, w_out, unit, c: (w_in[0], w_out), "the shape (3,)"),
    ],
)
def test_same_function(answer, words):
    assert words in wrong("same-function", answer)


def test_the_graph_changes_though_the_function_does_not():
    reply = said(4, "same-function", rescaled(1, -1))
    assert reply.state == "right"
    before, after = (float(word.strip(".")) for word in reply.text.split() if word[0].isdigit())
    assert before != after
