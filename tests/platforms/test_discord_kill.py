"""kill -9 of `lorebot discord` under load: every question is answered, once.

Complaints: replies lost on restart, duplicate replies.
"""

import asyncio
import random
import re

import pytest
import pytest_asyncio

from bot.platforms.discord.talks import STYLE
from tests.platforms.online import Online

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEED = 20_261_121
CHANNELS = 6
LONG = 5  # every so many answers take several messages


def answer(prompt: str) -> str:
    number = int(re.findall(r"Question (\d+)", prompt)[-1])
    filler = " ".join(["word"] * (800 if number % LONG == 0 else 5))
    return f"Answer {number} begins. {filler} Answer {number} ends."


@pytest_asyncio.fixture(loop_scope="module")
async def bot(bot: Online) -> Online:
    bot.openai.answer = answer
    bot.openai.delay = 0.3
    return bot


async def stormed(bot: Online, kills: int) -> None:
    """Let people ask while the bot is killed again and again; then wait for the answers and count them."""
    chance = random.Random(SEED)
    server = bot.server
    guild = server.guild("Storm")
    channels = [server.channel(guild, f"channel-{number}") for number in range(CHANNELS)]
    questions = {}

    async def people() -> None:
        while True:
            number = len(questions) + 1
            person = server.person(f"person{number}")
            server.join(guild, person)
            questions[number] = bot.ask(channels[number % CHANNELS], person, f"Question {number}")
            await asyncio.sleep(chance.uniform(0.3, 1.5))

    await bot.start()
    crowd = asyncio.create_task(people())
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.2, 4))
        await bot.kill()
        await asyncio.sleep(chance.uniform(0, 1))
        await bot.start()
    crowd.cancel()
    said = lambda: "\n".join(one.text for channel in channels for one in server.said(channel))  # noqa: E731
    try:
        await server.until(lambda: all(f"Answer {number} ends." in said() for number in questions), 90)
    finally:
        shown = said()
        lost = [number for number in questions if f"Answer {number} ends." not in shown]
        doubled = [number for number in questions if shown.count(f"Answer {number} begins.") > 1]
        marked = shown.count(STYLE.twice)
        print(f"{kills} kills, {len(questions)} questions, {lost=}, {doubled=}, {marked=}")
    assert (lost, len(doubled) - marked) == ([], 0)
    first = {one.reply_to for channel in channels for one in server.said(channel) if one.reply_to}
    assert first == {question.id for question in questions.values()}


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_ten_kills_under_load_lose_and_double_nothing(bot):
    await stormed(bot, kills=10)
