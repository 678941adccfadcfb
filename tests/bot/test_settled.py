"""What lives as long as the process."""

import gc

from bot.settled import settled
from memory.errors import LoreError
from tests.waiting import until


async def test_what_lives_once_all_is_warm_is_left_alone_until_the_end():
    warmed = []

    async def warm() -> None:
        warmed.append(gc.get_freeze_count())

    async with settled(warm):
        await until(gc.get_freeze_count)
        assert warmed == [0]
        assert gc.get_freeze_count() > 1000
    assert gc.get_freeze_count() == 0


async def test_where_it_cannot_be_warmed_the_rest_settles_all_the_same():
    async def warm() -> None:
        raise LoreError("no weights")

    async with settled(warm):
        await until(gc.get_freeze_count)
