"""Ids that were seen, and forgotten: as a ``set``, in less memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headway.core import id_set
from headway.core.id_set import IdSet


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 7)), max_size=60), st.integers(0, 2**64 - 1))
def test_as_a_set(steps: list[tuple[bool, int]], salt: int) -> None:
    """In a table of eight places keys are pushed on by others all the time, over the end of the table too."""
    ids, model = IdSet(), set[str]()
    ids._slots = ids._slots[:8]
    growing = id_set.FULLEST
    try:
        id_set.FULLEST = 0.99  # type: ignore[misc]
        for adds, number in steps:
            key = f"{salt} {number}"
            if adds:
                assert ids.add(key) is (key not in model)
                model.add(key)
            else:
                assert ids.discard(key) is (key in model)
                model.discard(key)
            assert len(ids) == len(model)
            if len(model) >= 6:
                break
        assert not any(ids.add(key) for key in model)
    finally:
        id_set.FULLEST = growing  # type: ignore[misc]
