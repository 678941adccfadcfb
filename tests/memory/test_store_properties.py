"""Vector stores: what must hold for all texts, names, values and vectors, however hostile."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from memory.errors import StoreError, VectorError
from memory.keys import Keys
from memory.store_filters import Between, Is, IsNot, clause, where
from memory.store_index import StoreOptions
from memory.store_items import New, terms
from memory.stores import Store

SIGNS = "|$@{}()[]=>*-~%\"',:;!<.\\ \n\x00\x1f"
hostile = st.text(st.one_of(st.sampled_from(SIGNS), st.characters(exclude_categories=["Cs"])), max_size=30)
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
value = st.one_of(hostile, numbers, st.booleans())

often = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def fresh(client: "redis.asyncio.Redis", keys: Keys) -> AsyncIterator[type[Store]]:
    """Stores for the examples of one property, one after the other."""

    class Fresh(Store):
        def __init__(self, **options: object) -> None:
            super().__init__(client, keys, str(ULID()), StoreOptions(**options))  # type: ignore[arg-type]

        async def __aenter__(self) -> "Fresh":
            return self

        async def __aexit__(self, *raised: object) -> None:
            await self.drop()

    return Fresh


@often
@given(
    metadata=st.lists(st.dictionaries(hostile, value, max_size=3), min_size=1, max_size=4), name=hostile, wanted=value
)
async def test_conditions_find_exactly_what_meets_them(fresh, metadata, name, wanted):
    async with fresh() as store:
        told = [*metadata, {name: wanted}]
        await store.add([New("word", [1.0], metadata=one) for one in told])

        def meets(one: dict[str, object]) -> bool:
            have = one.get(name)
            kinds = [str if isinstance(what, str) else type(what) is bool for what in (have, wanted)]
            return name in one and have == wanted and kinds[0] == kinds[1]

        those = [number for number, one in enumerate(told, 1) if meets(one)]
        others = [number for number, one in enumerate(told, 1) if not meets(one)]
        for condition, expected in ((Is(name, (wanted,)), those), (IsNot(name, (wanted,)), others)):
            assert [near.id for near in await store.knn([1.0], where=[condition])] == expected
            assert [found.id for found in await store.search("word", where=[condition])] == expected
        assert [item.metadata async for item in store.items()] == told


@often
@given(name=hostile, values=st.lists(numbers, min_size=1, max_size=5), bound=numbers, open_=st.booleans())
async def test_ranges_compare_as_floats(fresh, name, values, bound, open_):
    async with fresh(numeric=(name, "other")) as store:
        await store.add([New("word", [1.0], metadata={name: one, "other": 1}) for one in values])
        below = [number for number, one in enumerate(values, 1) if float(one) < float(bound)]
        equal = [number for number, one in enumerate(values, 1) if float(one) == float(bound)]
        found = await store.knn([1.0], where=[Between(name, high=bound, below=open_), Is("other", (1,))])
        assert [near.id for near in found] == (below if open_ else sorted(below + equal))
        rest = await store.search("word", where=[Between(name, low=bound, above=not open_)])
        assert sorted([*(near.id for near in found), *(one.id for one in rest)]) == list(range(1, len(values) + 1))


@given(name=hostile, values=st.lists(value, min_size=1), bound=numbers)
def test_nothing_that_people_write_is_part_of_a_query(name, values, bound):
    made = clause([Is(name, tuple(values)), IsNot(name, tuple(values)), Between(name, bound)], [name])
    assert set(made.text) <= set("abcdefghijklmnopqrstuvwxyz0123456789 _@:${}|()[]+-.")
    assert all(set(one) <= set("0123456789abcdef") for one in made.params.values())


@given(st.text(st.one_of(st.sampled_from(SIGNS + "a1"), st.characters()), max_size=30))
def test_what_people_write_is_a_condition_or_refused(said):
    try:
        (condition,) = where(said)
    except StoreError:
        return
    clause([condition], [condition.name])


@often
@given(texts=st.lists(hostile, min_size=1, max_size=5), asked=hostile, language=st.sampled_from(["english", "none"]))
async def test_any_text_is_kept_and_found_by_its_words(fresh, texts, asked, language):
    async with fresh(language=language) as store:
        await store.add([New(text, [1.0]) for text in texts])
        assert [item.text async for item in store.items()] == texts
        for text in (*texts, asked):
            words = set(terms(text, language))
            sharing = [number for number, one in enumerate(texts, 1) if words & set(terms(one, language))]
            assert sorted(found.id for found in await store.search(text)) == sharing


@often
@given(
    rows=st.lists(st.lists(st.floats(width=32), min_size=3, max_size=3), min_size=1, max_size=6),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    metric=st.sampled_from(["l2", "cosine", "ip"]),
)
async def test_every_vector_that_is_taken_is_found_and_comes_back_exactly(fresh, rows, dtype, metric):
    async with fresh(dtype=dtype, metric=metric) as store:
        kept = []
        for row in rows:
            try:
                await store.add([New("x", row)])
            except VectorError:
                continue
            kept.append(row)
        with np.errstate(over="ignore"):
            expected = [np.array(row, dtype=dtype).tobytes() for row in kept]
        assert [item.vector.tobytes() async for item in store.items()] == expected
        for row in kept:
            found = await store.knn(row)
            assert sorted(near.id for near in found) == list(range(1, len(kept) + 1))
            assert not any(np.isnan(near.distance) for near in found)


IDS = st.one_of(st.none(), st.integers(0, 6), st.integers(2**64 - 2, 2**64 - 1))


@often
@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), IDS), max_size=15))
async def test_a_store_does_what_a_dictionary_and_a_counter_do(fresh, steps):
    async with fresh(max_elements=4) as store:
        kept: dict[int, str] = {}
        last = 0
        for number, (step, id) in enumerate(steps):
            if step == "remove":
                assert await store.remove([id or 0]) == int(kept.pop(id or 0, None) is not None)
                continue
            if len(kept) == 4 and id not in kept:
                with pytest.raises(StoreError, match="full"):
                    await store.add([New(str(number), [1.0], id=id)])
                continue
            if id is None:
                last = next(one for one in range(last + 1, 100) if one not in kept)
            given_id = last if id is None else id
            assert await store.add([New(str(number), [1.0], id=id)]) == [given_id]
            kept[given_id] = str(number)
        assert {item.id: item.text async for item in store.items()} == dict(sorted(kept.items()))
        assert await store.size() == len(kept)
        assert [near.id for near in await store.knn([1.0])] == sorted(kept)
