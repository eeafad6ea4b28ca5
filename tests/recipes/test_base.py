"""Keys say what decides a record; jobs hold what their recipe asks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_book import make_network, record_of, write_data

from modclust_utils import datasets
from modclust_utils.recipes import all_recipes, clustering, recipe_of
from modclust_utils.recipes.base import (
    Images,
    Job,
    Record,
    canonical_json,
    made_from,
    record_key,
    stream,
)

PARAMETERS = {"network": "00ff", "phase": "after", "n_clusters": 4, "seed": 0}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=4,
)


def turned(value: object) -> object:
    """Equal content with every dictionary in another order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(v) for v in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=4), json_values, max_size=4))
def test_key_does_not_depend_on_the_order_of_dictionaries(parameters):
    assert record_key("network", 1, turned(parameters)) == record_key("network", 1, parameters)


@given(st.sampled_from(sorted(PARAMETERS)), json_values)
def test_key_changes_with_any_parameter(name, value):
    key = record_key("clustering", 1, PARAMETERS)
    assert record_key("clustering", 1, {**PARAMETERS, name: [value]}) != key
    assert record_key("clustering", 1, {**PARAMETERS, name + "'": value}) != key
    fewer = {k: v for k, v in PARAMETERS.items() if k != name}
    assert record_key("clustering", 1, fewer) != key


def test_key_changes_with_kind_and_version():
    keys = {record_key(kind, version, PARAMETERS) for kind in ("a", "b") for version in (1, 2)}
    assert len(keys) == 4


def test_key_tells_settings_of_networks_apart():
    parameters = {"settings": {"epochs": 20, "dropout_rate": 0.5}, "seed": 0}
    other = {"settings": {"epochs": 20, "dropout_rate": 0.25}, "seed": 0}
    assert record_key("network", 1, parameters) != record_key("network", 1, other)


def test_key_is_the_same_in_every_process():
    program = (
        "import sys, json; from modclust_utils.recipes.base import record_key; "
        "print(record_key('clustering', 1, json.loads(sys.argv[1])))"
    )
    other = "1" if os.environ.get("PYTHONHASHSEED") == "2" else "2"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(turned(PARAMETERS))],
        env={**os.environ, "PYTHONHASHSEED": other},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == record_key("clustering", 1, PARAMETERS)


def test_keys_of_today_are_those_of_the_committed_records():
    # sha256 of '{"kind":"clustering","parameters":{"n_clusters":4,...},"version":1}', 16 digits
    assert record_key("clustering", 1, PARAMETERS) == "95a487284f49b81d"


def test_canonical_json_takes_what_numpy_gives():
    plain = canonical_json({"b": [1, 2], "a": 3})
    assert canonical_json({"a": np.int64(3), "b": np.array([1, 2])}) == plain
    assert canonical_json({"b": (1, 2), "a": 3}) == plain == '{"a":3,"b":[1,2]}'


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_value_that_is_no_json(value):
    with pytest.raises(TypeError, match="cannot stand in a record; allowed: numbers"):
        canonical_json({"ncut": value})


@pytest.mark.parametrize("names", [["network"], [*PARAMETERS, "more"]])
def test_job_with_other_fields_than_its_recipe(names):
    parameters = dict.fromkeys(names, 0)
    with pytest.raises(ValueError, match=r"of a 'clustering' job; allowed: network, phase, "):
        Job(clustering.RECIPE, parameters)


def test_jobs_that_go_together_differ_in_some_fields_alone():
    network, _ = make_network()
    shuffle = recipe_of("shuffle-test")
    names = dict.fromkeys(shuffle.fields, 0)
    same = [Job(shuffle, names | {"n_clusters": k}) for k in (2, 3)]
    assert same[0].group == same[1].group
    assert same[0].group != Job(shuffle, names | {"seed": 1}).group
    # weights of different phases are different work
    before, after = (clustering.job(network, p, n_clusters=2, seed=0) for p in ("before", "after"))
    assert before.group != after.group


def test_recipes_are_found_by_their_kind():
    assert recipe_of("clustering") is clustering.RECIPE
    assert all(kind == recipe.kind for kind, recipe in all_recipes().items())
    with pytest.raises(
        ValueError,
        match="kind='clutsering' is no kind of record; allowed: balanced-shuffles, classifier, ",
    ):
        recipe_of("clutsering")


def test_record_names_what_it_was_made_from():
    job, record = make_network()
    arrays = Record(record.kind, 1, record.parameters, {}, arrays_sha256="abc")
    place = {"kind": "network", "key": job.key, "arrays_sha256": "abc"}
    assert made_from({"network": arrays}) == {"network": place}
    assert made_from({}, "def") == {"test_images": "def"}


def test_images_are_those_that_were_asked_for(tmp_path):
    path = str(write_data(tmp_path / "own.npz", n_train=20, n_test=5))
    found = datasets.load(path)
    assert Images(path, found.train_hash).load().y_test.tolist() == found.y_test.tolist()
    with pytest.raises(datasets.DataError, match=r"has the hash .*; allowed: 000000000000"):
        Images(path, "0" * 64).load()


def test_streams_are_the_networks_own():
    def draws(network: str, seed: int) -> list[float]:
        return stream(network, seed).random(3).tolist()

    assert (
        draws("00ff", 0) == draws("00ff", 0) == np.random.default_rng([0, 255]).random(3).tolist()
    )
    assert len({tuple(draws(n, s)) for n in ("00ff", "00fe") for s in (0, 1)}) == 4
    assert record_of(*[make_network()[0], {}]).key == make_network()[0].key
