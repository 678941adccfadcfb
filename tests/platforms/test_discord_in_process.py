"""The bot's own Discord client in this process, in simcord's Discord.

simcord waits after all that a person does until the bot has nothing more to do, so nothing here waits for a condition.
People can `slash`, `context_menu`, `click` and `submit_modal` too: `await library.ada.slash(library.general, "ask")`.
A burst has to end at once (burst=0), and no model may wait for an Event: simcord's clock takes a wait_for, or an Event
that the test would set later, for work that hangs. What needs those runs against tests/discordlike.
"""

from collections.abc import Callable

import discord
import pytest
import redis.asyncio
import simcord

from bot.limits import Allowance, Limits
from bot.listening import Listening
from bot.metrics import Metrics
from bot.notices import Practices
from bot.platforms.discord.client import Client
from bot.prompts import Prompts
from bot.service import Service
from bot.settings import Settings
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from tests.conftest import Talk
from tests.fakes import ScriptedModel

pytestmark = pytest.mark.simcord(shard_count=1, settle_timeout=20)


@pytest.fixture
def bot(talk: Callable[..., Talk]) -> Talk:
    """An engine whose model answers what a test appends to `bot.model.script`."""
    return talk()


@pytest.fixture
def simcord_bot(bot: Talk, memory: Memory, client: redis.asyncio.Redis) -> Client:
    """What simcord_env runs."""
    intents = discord.Intents.default()
    intents.message_content = True
    limits = Limits(client, memory.keys, Allowance())
    parts = {"presets": None, "apps": None}  # only commands have to do with them
    service = Service(
        "Lorebot",
        "scripted",
        prompts=Prompts(),
        limits=limits,
        practices=Practices("Lorebot"),
        metrics=Metrics(),
        listening=Listening(memory, "test"),
        **parts,
    )  # type: ignore[arg-type]
    return Client(bot.engine, memory, service, Settings(), intents, burst=0)


class Library:
    """A guild with Ada and Bob, and a channel that everyone reads."""

    def __init__(self, env: simcord.Env) -> None:
        self.guild = env.create_guild("Library")
        self.general = self.guild.create_text_channel("general")
        self.ada, self.bob = (self.guild.add_member(env.create_user(name)) for name in ("ada", "bob"))
        self.me = f"<@{env.bot.user.id}>"

    def said(self, channel: simcord.ChannelHandle | None = None) -> list[str]:
        """Return what the bot's messages in a channel say, the oldest first."""
        return [one.content for one in (channel or self.general).history() if one.author.bot]


@pytest.fixture
def library(simcord_env: simcord.Env) -> Library:
    return Library(simcord_env)


@pytest.fixture
def model(bot: Talk) -> ScriptedModel:
    return bot.model


async def remembered(memory: Memory, library: Library) -> list[Turn]:
    """Return the turns of the library's channel."""
    here = Scope(f"discord:{library.guild.id}", str(library.general.id), str(library.ada.id), Audience.PUBLIC)
    return list(await memory.recent(here, 20))


async def test_a_mention_is_answered_by_a_reply_and_both_are_remembered(library, model, memory):
    model.script = ["A fine name."]
    asked = await library.ada.send(library.general, f"{library.me} My dog is called Rex.")
    answer = library.general.last_message
    assert (answer.content, answer.reference.message_id) == ("A fine name.", asked.id)
    told = [(one.author, one.text) for one in await remembered(memory, library)]
    assert told == [("ada", "My dog is called Rex."), ("Lorebot", "A fine name.")]


async def test_what_is_not_addressed_to_the_bot_is_not_answered(library, model):
    await library.ada.send(library.general, "hello everybody")
    await library.ada.send(library.general, f"{library.bob.mention} hello")
    assert (library.said(), model.prompts) == ([], [])


async def test_a_direct_message_is_answered_and_surfaces_nowhere_else(library, model):
    model.script = ["I keep it to myself.", "I do not know."]
    await library.ada.send_dm("My PIN is 4711.")
    await library.ada.send(library.general, f"{library.me} What is my PIN?")
    assert library.said() == ["I do not know."]
    assert "4711" in "".join(message.content for message in model.prompts[0])
    assert "4711" not in model.last_prompt


async def test_a_reply_to_the_bot_is_answered(library, model):
    model.script = ["Hello!", "Hello again!"]
    await library.ada.send(library.general, f"{library.me} hello")
    await library.bob.send(library.general, "and me?", reply_to=library.general.last_message)
    assert library.said() == ["Hello!", "Hello again!"]
    assert "and me?" in model.last_prompt


async def test_an_edited_message_is_remembered_as_it_says_now(library, model, memory):
    model.script = ["Noted."]
    asked = await library.ada.send(library.general, f"{library.me} The dog is called Rex.")
    await library.ada.edit(asked, f"{library.me} The dog is called Bello.")
    assert [one.text for one in await remembered(memory, library)] == ["The dog is called Bello.", "Noted."]


async def test_a_deleted_message_is_forgotten(library, model, memory):
    model.script = ["Noted.", "I do not know."]
    asked = await library.ada.send(library.general, f"{library.me} The dog is called Rex.")
    await library.ada.delete(asked)
    assert "Rex" not in " ".join(one.text for one in await remembered(memory, library))
    await library.ada.send(library.general, f"{library.me} What is the dog called?")
    assert "called Rex" not in model.last_prompt


async def test_forget_this_forgets_a_question_that_a_command_asked(library, model, memory):
    model.script = ["Noted."]
    await library.ada.slash(library.general, "ask", question="My PIN is 4711")
    question = library.general.history()[0]
    assert len(await remembered(memory, library)) == 2
    await library.ada.context_menu(library.general, "Forget this", question)
    assert await remembered(memory, library) == []


async def test_where_the_bot_may_not_write_it_stays_silent(simcord_env, library, model):
    hall = library.guild.create_text_channel(
        "hall", overwrites={library.guild.me: discord.PermissionOverwrite(send_messages=False)}
    )
    await library.ada.send(hall, f"{library.me} hello?")
    assert (library.said(hall), model.prompts) == ([], [])
    assert [asked.path for asked in simcord_env.http_requests if str(hall.id) in asked.path] == []
