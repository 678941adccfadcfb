"""kill -9 of `lorebot slack` under load: every question is answered, once. A kill in `make test` is in test_slack.py.

Complaints: replies lost on restart, duplicate replies.
"""

import asyncio
import random
import re

import pytest

from bot.platforms.slack.talks import STYLE
from tests.platforms.slack_online import Online, online

pytestmark = [pytest.mark.soak, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1200)]

SEED = 20_261_121
CHANNELS = 6
LONG = 5  # every so many answers take several messages


def answer(prompt: str) -> str:
    number = int(re.findall(r"Question (\d+)", prompt)[-1])
    filler = " ".join(["word"] * (2700 if number % LONG == 0 else 5))
    return f"Answer {number} begins. {filler} Answer {number} ends."


async def stormed(app: Online, kills: int, *, direct: bool) -> None:
    """Let people ask while the app is killed again and again; then wait for the answers and count them.

    direct: in direct messages, where nothing is streamed; else in threads of channels, where everything is.
    """
    chance = random.Random(SEED)
    server = app.server
    owner = server.person("owner")
    channels = [server.channel(f"channel-{number}", owner) for number in range(CHANNELS)]
    questions = {}

    async def people() -> None:
        while True:
            number = len(questions) + 1
            person = server.person(f"person{number}")
            if direct:
                questions[number] = server.say(server.dm(person), person, f"Question {number}")
            else:
                channel = channels[number % CHANNELS]
                server.join(channel, person)
                questions[number] = app.ask(channel, person, f"Question {number}")
            await asyncio.sleep(chance.uniform(0.3, 1.5))

    def said(number: int) -> list[str]:
        question = questions[number]
        return [one.text for one in server.said(question.channel) if one.thread_ts in ("", question.ts)]

    def whole(number: int) -> bool:
        return any(f"Answer {number} ends." in text for text in said(number))

    await app.start()
    crowd = asyncio.create_task(people())
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.2, 4))  # not waiting for anything: the moment is what is tried
        await app.kill()
        await asyncio.sleep(chance.uniform(0, 1))
        await app.start()
    crowd.cancel()
    server.deliveries.retry_now()  # what no process has acknowledged
    try:
        await server.until(lambda: all(whole(number) for number in questions), 200)
        await server.until(lambda: not app.openai.busy)
    finally:
        lost = [number for number in questions if not whole(number)]
        begun = {number: sum(f"Answer {number} begins." in one for one in said(number)) for number in questions}
        ended = {number: sum(f"Answer {number} ends." in one for one in said(number)) for number in questions}
        doubled = [number for number in questions if begun[number] > 1 or ended[number] > 1]
        marked = [number for number in questions if any(STYLE.twice in one for one in said(number))]
        stamps = {questions[number].ts: number for number in lost}
        for one in server.deliveries.all:
            if (number := stamps.get((one.body.get("event") or {}).get("ts"))) is not None:
                print(number, one.name, one.acked.is_set(), [(try_.number, try_.failure) for try_ in one.attempts])
        for ts, number in stamps.items():
            print(number, said(number), *(line for line in app.logged.splitlines() if ts in line), sep="\n  ")
        print(f"{kills} kills, {len(questions)} questions, {lost=}, {doubled=}, {marked=}")
    assert (lost, doubled, marked) == ([], [], [])


@pytest.mark.parametrize("direct", [False, True], ids=["in threads", "in direct messages"])
async def test_ten_kills_under_load_lose_and_double_nothing(direct):
    async with online() as app:
        app.home.settings |= {"LOREBOT_PERSON_PER_MINUTE": "0", "LOREBOT_TENANT_PER_MINUTE": "0", "LOG_LEVEL": "INFO"}
        app.openai.answer, app.openai.delay = answer, 0.3
        app.openai.pieces, app.openai.pause = 10, 0.1
        await stormed(app, 10, direct=direct)
