"""Dicts that hold the latest things alone."""

from hypothesis import given
from hypothesis import strategies as st

from bot.latest import Latest


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_the_latest_things_are_kept_with_their_last_value_in_the_order_in_which_they_came(came, most):
    latest: Latest[int, int] = Latest(most)
    for at, one in enumerate(came):
        latest[one] = at
    last = {one: at for at, one in enumerate(came)}
    assert list(latest.items()) == sorted(last.items(), key=lambda item: item[1])[-most:]
