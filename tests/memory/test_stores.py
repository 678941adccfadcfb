"""Vector stores: what is put in comes back exactly, is found by vector and by words, and never mixed with another's."""

import asyncio
import math
from collections.abc import Callable

import numpy as np
import pytest
import redis.asyncio
from ulid import ULID

from memory import connect, index, store_search, stores
from memory.batch import Batch, command
from memory.errors import StoreError, StoreNotReady, VectorError
from memory.keys import Keys, StoreKeys
from memory.store_filters import Between, Is, IsNot, where
from memory.store_index import StoreOptions
from memory.store_items import LAST_ID, Found, Item, Near, New
from memory.stores import Store

Open = Callable[..., Store]


@pytest.fixture
def place() -> str:
    return str(ULID())


@pytest.fixture
def opened(client: "redis.asyncio.Redis", keys: Keys, place: str) -> Open:
    """Open the store of this test, or with another place another: opened(metric="cosine")."""

    def make(place: str = place, client: "redis.asyncio.Redis" = client, **options: object) -> Store:
        return Store(client, keys, place, StoreOptions(**options))  # type: ignore[arg-type]

    return make


@pytest.fixture
def store(opened: Open) -> Store:
    return opened()


def ids(found: list[Near] | list[Found]) -> list[int]:
    return [one.id for one in found]


async def overdue(client: "redis.asyncio.Redis", names: StoreKeys, *ids: int) -> None:
    """Let the items' time have come, without the server coming to delete them."""
    for id in ids:
        assert await client.persist(names.item(f"{id:020d}"))
        await client.zadd(names.expiring, {f"{id:020d}": 1})


async def expired(client: "redis.asyncio.Redis", store: Store, *ids: int) -> None:
    """Wait until the items' time has come by the server's clock."""
    last = max(item.expires_at or 0 for item in await store.get(ids) if item)
    while True:
        seconds, micros = await client.time()
        if seconds * 1000 + micros // 1000 > last:
            return
        await asyncio.sleep(0.005)


# -- What comes back ---------------------------------------------------------------------------------------------------


async def test_an_item_comes_back_as_it_was_put_in(store: Store):
    told = {"lang": "en", "year": 2020, "score": 0.5, "draft": False}
    (id,) = await store.add([New("some data", [1.1, 2.2, 3.3], metadata=told)])
    (item,) = await store.get([id])
    assert item == Item(1, "some data", told)
    assert [type(value) for value in item.metadata.values()] == [str, int, float, bool]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
async def test_vectors_come_back_bit_for_bit(opened: Open, dtype: str):
    store = opened(dtype=dtype)
    wild = np.array([1 / 3, -0.0, np.finfo(dtype).tiny, np.finfo(dtype).max, 1e-3], dtype=dtype)
    (id,) = await store.add([New("", wild)])
    (item,) = await store.get([id])
    assert item is not None
    assert item.vector is not None
    assert item.vector.dtype == wild.dtype
    assert item.vector.tobytes() == wild.tobytes()


async def test_an_item_that_is_not_there_is_none(store: Store):
    assert await store.get([7, LAST_ID]) == [None, None]
    assert await store.remove([7]) == 0
    assert not await store.expire(7, 10)


async def test_items_of_a_megabyte_and_empty_ones_are_kept(store: Store):
    large = "An elephant never forgets. " * 40_000 + "Only the zebra does."
    assert await store.add([New(large, [1.0]), New("", [2.0])]) == [1, 2]
    assert await store.get([1, 2]) == [Item(1, large, {}), Item(2, "", {})]
    assert ids(await store.search("zebras")) == [1]
    assert ids(await store.knn([2.1])) == [2, 1]


@pytest.mark.parametrize(
    "new",
    [New("half \ud800", [1.0]), New("x", [1.0], metadata={"\udfff": 1}), New("x", [1.0], metadata={"a": "\ud800"})],
)
async def test_half_characters_are_refused(store: Store, new: New):
    with pytest.raises(StoreError, match="half a character"):
        await store.add([New("good", [1.0]), new])
    assert await store.size() == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**400, None, [1], np.float32(1)])
async def test_metadata_that_could_not_be_found_again_is_refused(store: Store, value: object):
    with pytest.raises(StoreError, match="metadata 'a' must be"):
        await store.add([New("x", [1.0], metadata={"a": value})])  # type: ignore[dict-item]


async def test_items_are_listed_in_the_order_of_their_ids_a_page_at_a_time(store: Store):
    await store.add([New(str(id), [1.0], id=id) for id in (LAST_ID, 10, 9, 2**53 + 1, 0)])
    listed = [item.id async for item in store.items(page=2)]
    assert listed == [0, 9, 10, 2**53 + 1, LAST_ID]
    assert [item.text async for item in store.items(after=9, page=1)] == ["10", str(2**53 + 1), str(LAST_ID)]


# -- Ids ---------------------------------------------------------------------------------------------------------------


async def test_ids_are_counted_around_those_that_are_given(store: Store, opened: Open):
    assert await store.add([New("b", [1.0], id=2)]) == [2]
    assert await store.add([New("a", [1.0]), New("c", [1.0])]) == [1, 3]
    assert await opened().add([New("d", [1.0])]) == [4]


async def test_an_id_that_was_counted_is_never_given_again(store: Store):
    await store.add([New("a", [1.0]), New("b", [1.0])])
    assert await store.remove([1, 2, 2]) == 2
    assert await store.add([New("c", [1.0])]) == [3]


async def test_ids_go_up_to_64_bits(store: Store):
    assert await store.add([New("x", [1.0], id=LAST_ID), New("y", [3.0], id=LAST_ID - 1)]) == [LAST_ID, LAST_ID - 1]
    assert ids(await store.knn([1.0])) == [LAST_ID, LAST_ID - 1]
    assert await store.remove([LAST_ID]) == 1
    assert ids(await store.knn([1.0])) == [LAST_ID - 1]


@pytest.mark.parametrize("id", [-1, LAST_ID + 1, True, 1.0, "1"])
async def test_what_is_no_id_is_refused(store: Store, id: object):
    with pytest.raises(StoreError, match="an id is a whole number"):
        await store.add([New("x", [1.0], id=id)])  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="an id is a whole number"):
        await store.get([id])  # type: ignore[list-item]


async def test_an_item_is_replaced_wholly(opened: Open):
    store = opened(numeric=("year",))
    await store.add([New("an old dog", [1.0], id=5, metadata={"year": 1999, "lang": "en"}, ttl=100)])
    await store.add([New("a cat", [2.0], id=5, metadata={"mood": "calm"})])
    assert await store.get([5]) == [Item(5, "a cat", {"mood": "calm"})]
    assert await store.size() == 1
    assert await store.search("dog") == []
    assert await store.knn([1.0], where=where("year>=1000")) == []
    assert await store.knn([1.0], where=where("lang=en")) == []
    assert await store.knn([2.0]) == [Near(5, 0.0, "a cat", {"mood": "calm"})]


# -- The size of vectors -----------------------------------------------------------------------------------------------


async def test_the_first_vector_decides_the_size(store: Store, opened: Open):
    await store.add([New("a", [1.0, 2.0, 3.0])])
    for one in (store, opened()):
        with pytest.raises(VectorError, match="vectors of 3 numbers, this one has 2"):
            await one.add([New("b", [1.0, 2.0])])
        with pytest.raises(VectorError, match="vectors of 3 numbers, this one has 4"):
            await one.knn([1.0, 2.0, 3.0, 4.0])
    assert await store.size() == 1


async def test_vectors_of_two_sizes_at_once_decide_nothing(store: Store):
    with pytest.raises(VectorError, match="vectors of 2 numbers, this one has 1"):
        await store.add([New("a", [1.0, 2.0]), New("b", [1.0])])
    assert await store.add([New("b", [1.0])]) == [1]


async def test_a_size_that_was_set_holds_from_the_first_vector_on(opened: Open):
    store = opened(dim=2)
    with pytest.raises(VectorError, match="vectors of 2 numbers, this one has 3"):
        await store.add([New("a", [1.0, 2.0, 3.0])])
    with pytest.raises(VectorError, match="vectors of 2 numbers, this one has 1"):
        await store.knn([1.0])
    await store.add([New("only words", None)])
    assert ids(await store.search("word")) == [1]
    assert await store.knn([1.0, 2.0]) == []
    assert (await store.get([1]))[0].vector is None  # type: ignore[union-attr]


async def test_words_alone_do_not_begin_a_store_of_unknown_size(store: Store):
    with pytest.raises(StoreError, match="give the first item a vector, or make the store with dim"):
        await store.add([New("only words")])
    assert await store.add([New("only words"), New("more", [1.0])]) == [1, 2]


async def test_of_many_who_begin_at_once_one_decides_the_size(redis_url: str, opened: Open):
    clients = [connect.client(redis_url) for _ in range(6)]
    begun = [opened(client=client) for client in clients]
    outcomes = await asyncio.gather(
        *(store.add([New("x", [1.0] * (2 + number % 2))] * 5) for number, store in enumerate(begun)),
        return_exceptions=True,
    )
    for client in clients:
        await connect.close(client)
    added = [outcome for outcome in outcomes if isinstance(outcome, list)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, VectorError)]
    assert (len(added), len(refused)) == (3, 3)
    assert sorted(id for given in added for id in given) == list(range(1, 16))
    look = await opened().look()
    assert look.size == 15
    assert len(await opened().knn([1.0] * look.dim, k=100)) == 15


@pytest.mark.parametrize(
    "vector",
    [[math.nan], [math.inf], [1e39], [], [[1.0]], ["x"], [None], 5.0, np.zeros(40_000), "vector"],
    ids=lambda vector: str(vector)[:10],
)
async def test_what_is_no_vector_is_refused(store: Store, vector: object):
    with pytest.raises(VectorError):
        await store.add([New("x", vector)])  # type: ignore[arg-type]
    with pytest.raises(VectorError):
        await store.knn(vector)  # type: ignore[arg-type]


async def test_a_vector_without_length_is_refused_for_cosine_only(opened: Open, place: str):
    for vector in ([0.0, 0.0], [1e-30, 0.0], [1e30, 1e30]):
        with pytest.raises(VectorError, match="no cosine"):
            await opened(metric="cosine").add([New("x", vector)])
    for number, metric in enumerate(("l2", "ip")):
        store = opened(f"{place}{number}", metric=metric)
        await store.add([New("x", [0.0, 0.0])])
        assert len(await store.knn([0.0, 0.0])) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("m", 1), ("m", 513), ("dim", -1), ("dim", 40_000), ("max_elements", 0), ("ef_runtime", 0), ("dim", 1.5)],
        *[("metric", "L3"), ("dtype", "int8"), ("language", "klingon"), ("numeric", ("\ud800",)), ("numeric", "year")],
    ],
)
def test_options_that_no_index_could_be_made_with_are_refused(name: str, value: object):
    with pytest.raises(StoreError, match=name):
        StoreOptions(**{name: value})  # type: ignore[arg-type]


# -- Search by vector --------------------------------------------------------------------------------------------------


async def test_an_empty_store_finds_nothing(store: Store):
    assert await store.size() == 0
    assert await store.knn([1.0]) == []
    assert await store.search("anything") == []
    assert [item async for item in store.items()] == []


async def test_distances_are_those_of_hnswlib(store: Store):
    await store.add([New("some data", [1.1, 2.2, 3.3]), New("some other data", [2.2, 3.3, 4.4])])
    assert await store.knn([1, 2, 3], k=1) == [Near(1, 0.14000000059604645, "some data", {})]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
async def test_the_nearest_come_first_with_their_distance(opened: Open, dtype: str, metric: str):
    store = opened(dtype=dtype, metric=metric)
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(60, 20)).astype(dtype)
    asked = rng.normal(size=20).astype(dtype)
    await store.add([New("x", vector) for vector in vectors])
    wide, point = vectors.astype(np.float64), asked.astype(np.float64)
    product = wide @ point
    true = {
        "l2": ((wide - point) ** 2).sum(axis=1),
        "ip": 1 - product,
        "cosine": 1 - product / np.linalg.norm(wide, axis=1) / np.linalg.norm(point),
    }[metric]
    found = await store.knn(asked, k=12)
    assert ids(found) == [int(index) + 1 for index in np.argsort(true)[:12]]
    exact = 1e-6 if dtype == "float32" else 1e-12
    assert [near.distance for near in found] == pytest.approx(np.sort(true)[:12].tolist(), rel=exact, abs=exact)


async def test_of_one_distance_the_smaller_id_comes_first(store: Store):
    await store.add([New("x", [float(side), 0.0], id=id) for id, side in ((30, 1), (7, -1), (2**60, 1), (8, -1))])
    assert ids(await store.knn([0.0, 0.0])) == [7, 8, 30, 2**60]


async def test_more_are_asked_for_than_there_are(store: Store):
    await store.add([New("x", [float(number)]) for number in range(30)])
    assert len(await store.knn([0.0])) == 10
    assert len(await store.knn([0.0], k=10**12)) == 30
    for k in (0, -1):
        with pytest.raises(StoreError, match="at least one item"):
            await store.knn([0.0], k=k)


async def test_a_search_travels_in_another_s_batch(store: Store, client):
    batch = Batch(client)
    other, early = batch.ask("ECHO", "hello", read=bytes.decode), store.ask_knn(batch, [1.0])
    await batch.send()
    assert (other.value, early.value) == ("hello", [])
    await store.add([New("x", [1.0])])
    batch = Batch(client)
    look, near, item, found = (
        store.ask_look(batch),
        store.ask_knn(batch, [1.0]),
        store.ask_get(batch, 1),
        store.ask_search(batch, "x"),
    )
    await batch.send()
    assert (look.value.dim, look.value.size) == (1, 1)
    assert near.value == [Near(1, 0.0, "x", {})]
    assert item.value == Item(1, "x", {})
    assert ids(found.value) == [1]


# -- Search by words ---------------------------------------------------------------------------------------------------


async def test_words_are_found_by_their_stems_the_best_first(store: Store):
    await store.add([New("The dogs run home", [1.0]), New("a dog, a dog and another dog", [1.0]), New("cats", [1.0])])
    found = await store.search("DOG running")
    assert ids(found) == [1, 2]
    assert found[0].score > found[1].score > 0
    assert ids(await store.search("dog", k=1)) == [2]


async def test_words_are_of_the_language_that_was_set(opened: Open):
    store = opened(language="german")
    await store.add([New("Viele H\u00e4user stehen leer", [1.0])])
    assert ids(await store.search("Haus")) == [1]


@pytest.mark.parametrize(
    "text",
    [
        *[
            "\u041c\u043e\u0441\u043a\u0432\u0430",
            "\u4eac\u90fd\u306b\u4f4f\u3080",
            "\u05e9\u05dc\u05d5\u05dd",
            "\u0130stanbul",
        ],
        *[
            "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8",
            "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
            "\ua64e",
            "\u1c90",
            "\u13a0",
        ],
        *[
            "_",
            "inf",
            "nan",
            "1e5",
            "as",
            "\U00010330" * 200,
            "x" * 10_000,
            "\u1e9e",
            "\u03a3\u03a3",
            "a_b-c|d",
            "\ufb03",
        ],
    ],
    ids=lambda text: ascii(text)[:20],
)
async def test_words_of_any_alphabet_and_form_are_found(opened: Open, text: str):
    store = opened(language="none")
    await store.add([New(f"{text} here", [1.0]), New("there", [1.0])])
    assert ids(await store.search(text)) == [1]


async def test_what_holds_no_word_is_not_found(store: Store):
    await store.add([New("", [1.0]), New("?! \U0001f600", [1.0]), New("the", [1.0])])
    assert await store.search("the") == []
    assert await store.search("\U0001f600") == []
    assert await store.search("") == []


async def test_a_long_text_is_asked_with_its_longest_words(store: Store):
    await store.add([New("hippopotamus", [1.0])])
    assert ids(await store.search(" ".join(f"w{number}" for number in range(3000)) + " hippopotamus")) == [1]


# -- Room --------------------------------------------------------------------------------------------------------------


async def test_a_full_store_says_so(opened: Open):
    store = opened(max_elements=3)
    with pytest.raises(StoreError, match=r"full: it takes 3 items \(max_elements\), and 3 of these 5 were stored"):
        await store.add([New(str(number), [1.0]) for number in range(5)])
    assert await store.size() == 3
    assert await store.add([New("replaced", [1.0], id=2)]) == [2]
    await store.remove([1])
    assert await store.add([New("new", [1.0])]) == [4]
    with pytest.raises(StoreError, match="0 of these 1 were stored"):
        await store.add([New("x", [1.0], id=77)])


async def test_a_store_is_never_overfilled_by_many_at_once(redis_url: str, opened: Open):
    clients = [connect.client(redis_url) for _ in range(5)]
    many = [opened(client=client, max_elements=20) for client in clients]
    await asyncio.gather(*(store.add([New("x", [1.0])] * 10) for store in many), return_exceptions=True)
    for client in clients:
        await connect.close(client)
    assert await opened().size() == 20
    assert [item.id async for item in opened().items()] == list(range(1, 21))


async def test_expiring_makes_room(opened: Open, client, keys, place):
    store = opened(max_elements=2)
    await store.add([New("a", [1.0], ttl=1000), New("b", [1.0])])
    await overdue(client, keys.store(place), 1)
    assert await store.add([New("c", [1.0])]) == [3]
    with pytest.raises(StoreError, match="full"):
        await store.add([New("d", [1.0], id=1)])


# -- Time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["knn", "words"])
async def test_what_has_expired_is_found_by_nothing(store: Store, first: str, client, keys, place):
    await store.add([New("old dog", [1.0], ttl=1000), New("dog", [5.0], ttl=100), New("dogs", [9.0])])
    assert await store.size() == 3
    await overdue(client, keys.store(place), 1)
    assert ids(await (store.knn([1.0], k=2) if first == "knn" else store.search("dog"))) == [2, 3]
    assert await store.size() == 2
    assert await store.get([1]) == [None]
    assert await store.remove([1]) == 0
    assert [item.id async for item in store.items()] == [2, 3]
    assert len(await client.keys(f"{keys.namespace}:item:*")) == 2


async def test_what_has_expired_is_neither_listed_nor_prolonged(store: Store, client):
    await store.add([New("a", [1.0], ttl=0.05), New("b", [1.0], ttl=0.05), New("c", [1.0])])
    await expired(client, store, 1, 2)
    assert [item.id async for item in store.items(page=1)] == [3]
    assert not await store.expire(1, 100)
    assert await store.size() == 1


async def test_a_great_many_that_expire_at_once_hide_nothing(store: Store, client, keys, place):
    many = 3 * store_search.SWEPT
    await store.add([New("dog", [1.0], ttl=1000)] * many + [New("dog", [9.0])])
    await overdue(client, keys.store(place), *range(1, many + 1))
    batch = Batch(client)
    answer = store.ask_knn(batch, [1.0])
    await batch.send()
    with pytest.raises(StoreNotReady):
        _ = answer.value
    assert ids(await store.knn([1.0])) == [many + 1]
    assert (await store.look()).left == 0


async def test_a_time_to_live_is_told_changed_and_lifted(store: Store, client):
    seconds, _ = await client.time()
    await store.add([New("a", [1.0], ttl=100)])
    (item,) = await store.get([1])
    assert 99_000 <= item.expires_at - seconds * 1000 <= 110_000  # type: ignore[union-attr, operator]
    assert await store.expire(1, 1000)
    (item,) = await store.get([1])
    assert 999_000 <= item.expires_at - seconds * 1000 <= 1_010_000  # type: ignore[union-attr, operator]
    assert await store.expire(1, None)
    assert await store.get([1]) == [Item(1, "a", {}, expires_at=None)]


async def test_an_item_that_was_kept_after_all_stays(store: Store, client):
    await store.add([New("a", [1.0], ttl=0.05), New("b", [1.0], ttl=0.05), New("c", [1.0], ttl=0.05)])
    assert await store.expire(1, None)
    await store.add([New("b again", [1.0], id=2)])
    await expired(client, store, 3)
    assert ids(await store.knn([1.0])) == [1, 2]


@pytest.mark.parametrize("ttl", [0, -1, math.nan, math.inf, 1e12])
async def test_a_time_that_is_no_time_to_come_is_refused(store: Store, ttl: float):
    with pytest.raises(StoreError, match="a time to live"):
        await store.add([New("a", [1.0], ttl=ttl)])


# -- Stores beside each other ------------------------------------------------------------------------------------------


async def test_two_stores_never_see_each_other_s_items(opened: Open):
    one, other = opened("one"), opened("one2", metric="cosine")
    await one.add([New("a dog", [1.0, 1.0])])
    await other.add([New("another dog", [1.0, 1.0, 1.0]), New("cat", [1.0, 1.0, 2.0])])
    assert [near.text for near in await one.knn([1.0, 1.0])] == ["a dog"]
    assert [found.text for found in await one.search("dog")] == ["a dog"]
    assert await one.remove([2]) == 0
    assert (await one.size(), await other.size()) == (1, 2)
    await one.drop()
    assert len(await other.knn([1.0, 1.0, 1.0])) == 2


async def test_a_dropped_store_leaves_nothing(store: Store, opened: Open, client, keys):
    many = 2 * stores.TOGETHER + 1
    await store.add([New("x", [1.0], ttl=100)] * many)
    stale = opened()
    await stale.add([New("x", [1.0])])
    await store.drop()
    assert await client.keys(f"{keys.namespace}*") == []
    assert [name for name in await command(client, "FT._LIST") if name.startswith(keys.namespace.encode())] == []
    for one in (store, stale):
        with pytest.raises(StoreError, match="has been dropped"):
            await one.add([New("late", [1.0])])
    await store.drop()
    assert await client.keys(f"{keys.namespace}*") == []


async def test_a_memory_that_is_thrown_away_takes_its_stores_along(store: Store, client, keys):
    await store.add([New("x", [1.0])])
    await index.drop(client, keys)
    assert await client.keys(f"{keys.namespace}*") == []
    assert [name for name in await command(client, "FT._LIST") if name.startswith(keys.namespace.encode())] == []


async def test_a_drop_that_was_cut_off_lets_nothing_in_and_is_taken_up(store: Store, opened: Open, client, keys, place):
    await store.add([New("x", [1.0])])
    await client.hset(keys.store(place).state, "dropped", 1)
    for one in (store, opened()):
        for work in (one.add([New("late", [1.0])]), one.knn([1.0])):
            with pytest.raises(StoreError, match="has been dropped"):
                await work
    await opened().drop()
    assert await client.keys(f"{keys.namespace}*") == []


async def test_an_index_that_is_made_while_its_store_is_dropped_goes_too(
    store: Store, opened: Open, client, keys, place
):
    await store.add([New("x", [1.0])])
    await client.hset(keys.store(place).state, "dropped", 1)
    with pytest.raises(StoreError, match="has been dropped"):
        await opened()._make_index(1)
    assert [name for name in await command(client, "FT._LIST") if name.startswith(keys.namespace.encode())] == []


async def test_an_index_that_is_missing_is_made_again(store: Store, opened: Open, client, keys, place):
    await store.add([New("a dog", [1.0]), New("a cat", [5.0])])
    name = keys.store(place)
    await command(client, "FT.ALIASDEL", name.index)
    assert ids(await store.knn([1.0])) == [1, 2]
    await command(client, "FT.DROPINDEX", name.made_index)
    batch = Batch(client)
    answer = store.ask_knn(batch, [1.0])
    await batch.send()
    with pytest.raises(StoreNotReady, match="index of the store is missing"):
        _ = answer.value
    assert ids(await opened().search("dog")) == [1]
    await command(client, "FT.DROPINDEX", name.made_index)
    assert ids(await store.knn([5.0])) == [2, 1]


async def test_whoever_died_before_the_index_was_made_has_it_made_by_the_next(store: Store, client, keys, place):
    await client.hset(keys.store(place).state, "dim", 2)
    assert await store.knn([1.0, 2.0]) == []
    await command(client, "FT.DROPINDEX", keys.store(place).made_index)
    await client.hdel(keys.store(place).state, "indexed")
    await store.add([New("x", [1.0, 2.0])])
    batch = Batch(client)
    near = store.ask_knn(batch, [1.0, 2.0])
    await batch.send()
    assert near.value == [Near(1, 0.0, "x", {})]


# -- Conditions --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def library(opened: Open) -> Store:
    store = opened(numeric=("year", "price"))
    told = [
        {"lang": "en", "year": 2019, "tag": "draft"},
        {"lang": "fr", "year": 2020, "price": 9.5},
        {"lang": "de", "year": 2021.5, "tag": "final", "sold": True},
        {"lang": "en", "year": 2022, "sold": False},
        {},
    ]
    await store.add([New("a book", [float(number)], metadata=one) for number, one in enumerate(told)])
    return store


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), [1, 2, 3, 4, 5]),
        (("lang=en",), [1, 4]),
        (("lang=en,fr",), [1, 2, 4]),
        (("lang!=en",), [2, 3, 5]),
        (("lang!=en,de",), [2, 5]),
        (("tag!=draft", "year>2019"), [2, 3, 4]),
        (("year>=2020", "tag!=draft"), [2, 3, 4]),
        (("year>2020",), [3, 4]),
        (("year<=2020",), [1, 2]),
        (("year<2020",), [1]),
        (("year >= 2e3", "year<=2021.5"), [1, 2, 3]),
        (("year=2020",), [2]),
        (("year=2021.5",), [3]),
        (("price>=9.5",), [2]),
        (("sold=true",), [3]),
        (("sold=false,true",), [3, 4]),
        (("nothing=here",), []),
        (("lang=en", "lang=fr"), []),
    ],
    ids=str,
)
async def test_conditions_hold_in_both_searches(library: Store, conditions: tuple[str, ...], expected: list[int]):
    assert ids(await library.knn([0.0], where=where(*conditions))) == expected
    assert ids(await library.search("books", where=where(*conditions))) == expected


async def test_values_are_compared_with_their_types(store: Store):
    kinds = ["1", 1, 1.0, True, "True", 2**70, float(2**70), 0, -0.0, False, ""]
    await store.add([New("x", [1.0], metadata={"a": value}) for value in kinds])

    async def found(value: str | int | float | bool) -> list[int]:
        return ids(await store.knn([1.0], k=20, where=[Is("a", (value,))]))

    assert [await found(value) for value in kinds] == [
        *([1], [2, 3], [2, 3], [4], [5], [6, 7], [6, 7], [8, 9], [8, 9], [10], [11])
    ]
    assert ids(await store.knn([1.0], k=20, where=where("a=1"))) == [1, 2, 3]
    assert ids(await store.knn([1.0], k=20, where=where("a="))) == [11]


async def test_a_range_over_what_was_not_declared_says_to_declare_it(library: Store):
    with pytest.raises(StoreError, match=r"'pages'.*declared among its numeric metadata"):
        await library.knn([0.0], where=where("pages>5"))


async def test_what_is_declared_a_number_must_be_one(library: Store):
    for value in ("2020", True):
        with pytest.raises(StoreError, match="give a number"):
            await library.add([New("x", [1.0], metadata={"year": value})])


@pytest.mark.parametrize("said", ["", "lang", "=en", "year>", "year>big", "year>=nan", "<5", 'lang="en', "!=x"])
def test_what_is_no_condition_is_refused(said: str):
    with pytest.raises(StoreError):
        where(said)


def test_conditions_are_read_as_people_mean_them():
    assert where('city="Paris, Texas",Rome', "n!=01", "year>=2020", "x<-1e3") == (
        Is("city", ("Paris, Texas", "Rome")),
        IsNot("n", ("01", 1)),
        Between("year", low=2020.0),
        Between("x", high=-1000.0, below=True),
    )


async def test_a_condition_without_a_value_is_refused(library: Store):
    for condition in (Is("lang", ()), IsNot("lang", ()), Is("lang", (math.nan,)), Between("year", low=math.nan)):
        with pytest.raises(StoreError):
            await library.knn([0.0], where=[condition])
