"""Packed arrays come back to the bit, and sparse ones take little room."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modclust_utils.recipes.packing import PackedArrays, pack_arrays, unpack_arrays

# about half of the entries are zero, so that both ways of storing occur
arrays = st.builds(
    np.ndarray.astype,
    hnp.arrays(
        np.int64,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        elements=st.sampled_from([0, 0, 1, 2]),
        fill=st.nothing(),
    ),
    st.sampled_from([np.float32, np.float64, np.int64, np.bool_, np.uint8]),
)


@given(st.dictionaries(st.sampled_from(["weight_0", "bias_0", "x"]), arrays))
def test_arrays_round_trip(kept):
    again = unpack_arrays(pack_arrays(kept))
    assert again.keys() == kept.keys()
    for name, array in kept.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array, strict=True)


@given(
    hnp.arrays(np.float32, (5, 7), elements=st.floats(width=32, allow_nan=False), fill=st.just(0))
)
def test_mostly_zero_floats_round_trip_to_the_bit(array):
    (again,) = unpack_arrays(pack_arrays({"w": array})).values()
    # a zero may lose its sign, nothing else changes
    found, expected = (np.ascontiguousarray(each + 0.0).view(np.uint32) for each in (again, array))
    np.testing.assert_array_equal(found, expected)


def test_sparse_array_takes_little_room():
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(100, 100)).astype(np.float32)
    sparse = np.where(rng.random((100, 100)) < 0.1, dense, 0)
    assert len(pack_arrays({"w": sparse})) < len(pack_arrays({"w": dense})) / 5


def test_packed_arrays_are_a_mapping_that_unpacks_when_asked():
    arrays = {"w": np.eye(3), "b": np.arange(1.0, 4.0)}
    packed = PackedArrays(pack_arrays(arrays))
    assert set(packed) == {"w", "b"}
    assert len(packed) == 2
    np.testing.assert_array_equal(packed["w"], arrays["w"], strict=True)
    broken = PackedArrays(b"no archive")  # not looked at until it is needed
    with pytest.raises(ValueError, match="pickle"):
        broken["w"]
