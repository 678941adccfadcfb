"""What of a channel's past is learned, and what people are told: a bare discord.py client reads a small Discord."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import discord
import pytest

from bot.channels import Channel
from bot.errors import CommandError, DeliveryError, DeliveryRefused
from bot.lesson import Progress, Said
from bot.listening import Listening
from bot.platforms.discord import channels, intake
from bot.platforms.discord.outlet import Outlet
from bot.platforms.discord.past import Shown, learn, line, past
from memory.memory import Memory
from memory.records import Turn, answer_id
from memory.scope import Audience, Scope
from tests.discordlike.conftest import Client, Place, online, pointed_at
from tests.discordlike.records import Can
from tests.discordlike.server import DiscordLike
from tests.discordlike.talk import Draft
from tests.waiting import until

BEGAN = datetime(2024, 5, 3, tzinfo=UTC)


@pytest.fixture
async def server() -> AsyncIterator[DiscordLike]:
    async with DiscordLike() as server:
        yield server


@pytest.fixture
async def place(server) -> AsyncIterator[Place]:
    with pointed_at(server):
        client = Client()
        server.ratelimits.on = False
        place = Place(server, client)
        await online(server, client)
        yield place
        await client.end()


@pytest.fixture
def listening(memory: Memory) -> Listening:
    return Listening(memory, "one")


@pytest.fixture
async def ada(place) -> discord.User:
    return await place.client.fetch_user(place.ada.id)


class Past:
    """Lets people and the bot talk in the past, a second apart."""

    def __init__(self, server, place: Place) -> None:
        self._server, self._place = server, place
        self.seconds = 0.0

    def says(self, text: str, **how: object):
        self.seconds += 1
        at = BEGAN + timedelta(seconds=self.seconds)
        return self._server.say(self._place.channel, self._place.ada, text, at=at, **how)

    def answers(self, text: str, question=None):
        self.seconds += 1
        draft = Draft(text, question and question.id, at=BEGAN + timedelta(seconds=self.seconds))
        return self._server.talk.post(self._place.channel, self._server.me, draft)

    async def read(self, after: str | None = None) -> list[Said]:
        return [one async for one in past(self._place.here, self._place.client.user, "Lorebot", after)]

    async def turns(self) -> list[Turn]:
        return [one.turn for one in await self.read() if one.turn is not None]


@pytest.fixture
def spoken(server, place) -> Past:
    return Past(server, place)


async def test_what_people_say_is_learned_and_what_discord_and_other_bots_say_is_not(spoken, server, place):
    said = spoken.says(f"{server.me.mention} I have a dog")
    spoken.says("I am a webhook", webhook=True)
    spoken.says("", type=7)
    server.say(place.channel, server.person("other", bot=True), "beep", at=BEGAN + timedelta(seconds=9))
    at = int(BEGAN.timestamp() * 1000) + 1000
    turn = Turn(str(said.id), str(place.channel.id), str(place.ada.id), "Ada", "user", "I have a dog", at)
    assert await spoken.turns() == [turn]
    assert len(await spoken.read()) == 4
    assert len(await spoken.read(after=str(said.id))) == 3


async def test_an_answer_is_learned_whole_under_the_id_that_it_has_when_it_is_given(spoken, place):
    asked = spoken.says("Tell me everything")
    spoken.answers("First this,", asked)
    last = spoken.answers("then that.\n-# Memory is off")
    spoken.says("Thanks")
    _, answer, thanks = await spoken.read()
    assert (answer.id, answer.messages, answer.turn.id) == (str(last.id), 2, answer_id(str(asked.id)))
    assert (answer.turn.role, answer.turn.text, answer.turn.to) == (
        "assistant",
        "First this,\nthen that.",
        str(place.ada.id),
    )
    assert thanks.turn.text == "Thanks"


async def test_what_the_bot_says_to_nobody_is_not_learned(spoken, server):
    spoken.answers("From now on I remember what is said in this channel")
    asked = spoken.says("Who is Rex?")
    spoken.answers("My dog.", asked)
    spoken.seconds += 3600
    spoken.answers("I am learning what was said here")
    gone = spoken.says("My PIN is 4711")
    spoken.answers("4711 it is", gone)
    server.delete(gone)
    assert [turn.text for turn in await spoken.turns()] == ["Who is Rex?", "My dog."]


async def test_where_the_bot_may_not_look_back_it_says_what_to_permit(spoken, server, place):
    server.overwrite(place.channel, server.me, deny=Can.READ_MESSAGE_HISTORY)
    member = place.here.guild.me
    await server.until(lambda: not place.here.permissions_for(member).read_message_history)
    with pytest.raises(DeliveryRefused, match="Read Message History"):
        await spoken.read()


async def test_what_stands_on_the_screen_has_the_ids_of_memory(spoken, place):
    asked = spoken.says("Who is Rex?")
    spoken.answers("My dog.", asked)
    last = spoken.says("Thanks")
    seen = await intake.seen(await place.here.fetch_message(last.id))
    assert [one.id for one in seen] == [str(asked.id), answer_id(str(asked.id))]


async def test_what_discord_does_not_tell_is_not_seen_and_the_rest_is(spoken, server, place):
    asked = spoken.says("Who is Rex?")
    answer = await place.here.fetch_message(spoken.says("My dog.", reply_to=asked).id)
    server.faults.cut(times=math.inf, on="GET /channels/*/messages*")
    assert [one.text for one in await intake.seen(answer)] == ["Who is Rex?"]


async def test_a_connection_that_discord_cuts_is_tried_again(server, place):
    """Complaint: a reply is lost with the connection that it was to be sent on."""
    asked = await place.here.fetch_message(server.say(place.channel, place.ada, "hello").id)
    outlet = Outlet(place.here, asked)
    server.faults.cut(on="POST /channels/*/messages")
    with pytest.raises(DeliveryError):
        await outlet.send("Hello!", "n1")
    await outlet.send("Hello!", "n1")
    assert [(one.text, one.reply_to) for one in server.said(place.channel)] == [("Hello!", asked.id)]


async def test_before_a_channel_is_remembered_everybody_there_is_told(server, place, listening, ada):
    found = await channels.remember(listening, place.here, ada, reads=True)
    assert found == Channel(remembers=True)
    assert await channels.remember(listening, place.here, ada, reads=True) == found
    (told,) = server.said(place.channel)
    assert all(part in told.text for part in ("From now on", "Ada has switched this on", "/memory pause", "/privacy"))
    assert await channels.remember_no_more(listening, place.here, ada) == Channel()


async def test_nobody_is_remembered_unannounced(server, place, listening, memory, ada):
    server.overwrite(place.channel, server.me, deny=Can.SEND_MESSAGES)
    with pytest.raises(DeliveryRefused):
        await channels.remember(listening, place.here, ada, reads=True)
    with pytest.raises(CommandError, match="LOREBOT_DISCORD_MESSAGE_CONTENT"):
        await channels.remember(listening, place.here, ada, reads=False)
    here = Scope(f"discord:{place.guild.id}", str(place.channel.id), "x", Audience.PUBLIC)
    assert await listening.channels.get(here) == Channel()


async def test_a_thread_is_switched_with_its_channel_where_it_is_announced(server, place, listening, ada):
    thread = server.thread(place.channel, "dogs", place.ada)
    await server.until(lambda: place.here.guild.get_thread(thread.id))
    await channels.remember(listening, place.here.guild.get_thread(thread.id), ada, reads=True)
    assert (len(server.said(place.channel)), len(server.said(thread))) == (1, 0)


async def test_progress_is_shown_in_one_message(spoken, server, place, listening, memory):
    for number in range(150):
        spoken.says(f"sentence {number}")
    here = Scope(f"discord:{place.guild.id}", str(place.channel.id), "x", Audience.PUBLIC)
    await listening.channels.set(here, remembers=True)
    assert await learn(listening, place.here, place.client.user, "Lorebot", Shown(place.here, "UTC"))
    whole = "I have learned what was said here: 151 messages, up to"
    await until(lambda: [one.text.startswith(whole) for one in server.said(place.channel)] == [True])
    assert server.said(place.channel)[0].history[0].text.startswith("I am learning what was said here:")
    assert len(await memory.recent(here, 1000)) == 150
    await listening.learning.close()


def test_lines_of_progress_tell_how_many_and_up_to_when():
    upto = int(BEGAN.timestamp() * 1000)
    assert line(Progress(1200, 5000, upto), "UTC") == (
        "I am learning what was said here: 1,200 of about 5,000 messages, up to 3 May 2024."
    )
    assert line(Progress(0, 0, 0, over=True), "UTC") == "I have learned what was said here: 0 messages."
    assert line(Progress(7, 7, upto, over=True, trouble="it was stopped"), "UTC").endswith(
        "3 May 2024: it was stopped."
    )


async def test_in_a_direct_message_too_the_screen_has_the_ids_of_memory(server, place):
    dm = server.dm(place.ada)
    asked = server.say(dm, place.ada, "Who is Rex?")
    server.talk.post(dm, server.me, Draft("My dog.", asked.id))
    last = server.say(dm, place.ada, "Thanks")
    channel = await (await place.client.fetch_user(place.ada.id)).create_dm()
    seen = await intake.seen(await channel.fetch_message(last.id))
    assert [one.id for one in seen] == [str(asked.id), answer_id(str(asked.id))]
