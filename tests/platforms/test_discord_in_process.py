"""The bot's own Discord client in this process, in simcord's Discord.

simcord waits after all that a person does until the bot has nothing more to do, so nothing here waits for a condition.
A burst has to end at once (burst=0), and no model may wait for an Event: simcord's clock takes a wait_for, or an Event
that the test would set later, for work that hangs. What needs those, such as a press of Stop, runs against
tests/discordlike.
"""

import re
from collections.abc import AsyncIterator

import discord
import pytest
import pytest_asyncio
import redis.asyncio
import simcord

from bot.apps.chat import ChatApp, ChatOptions
from bot.engine import Engine
from bot.ledger import Ledger
from bot.limits import Allowance, Limits
from bot.listening import Listening
from bot.metrics import Metrics
from bot.notices import Practices
from bot.platforms.discord.client import Client
from bot.presets import Presets, Wanted
from bot.prompts import Prompts
from bot.registry import wiring
from bot.service import Service
from bot.settings import Settings
from memory.memory import Memory
from memory.records import Turn
from memory.scope import Audience, Scope
from tests.fakes import ScriptedModel

pytestmark = pytest.mark.simcord(shard_count=1, settle_timeout=20)

Bot = tuple[Engine, Service]


@pytest.fixture
def model() -> ScriptedModel:
    """A model that answers what a test appends to its script."""
    return ScriptedModel()


@pytest_asyncio.fixture
async def bot(
    client: redis.asyncio.Redis, memory: Memory, model: ScriptedModel
) -> AsyncIterator[tuple[Engine, Service]]:
    """What `lorebot.registry.wiring.serving` opens, with the test's memory and model."""
    settings = Settings(namespace=memory.keys.namespace)
    async with wiring.over(client, settings, memory=memory) as registry:

        def make(wanted: Wanted) -> ChatApp:
            options = ChatOptions(prompt_tokens=1000, reply_tokens=200, persona=wanted.persona)
            return ChatApp(memory, wanted.model or model, Prompts(), options)

        presets = Presets(registry.objects, registry.models, registry.apps, make)
        engine = Engine(memory, presets.app, Ledger(memory.keys, "test"), name="Lorebot", max_message=100_000)
        limits, practices = Limits(client, memory.keys, Allowance()), Practices("Lorebot")
        parts = (presets, registry.apps, Prompts(), limits, practices, Metrics(), Listening(memory, "test"))
        yield engine, Service("Lorebot", model.name, *parts)


@pytest.fixture
def simcord_bot(bot: Bot, memory: Memory) -> Client:
    """What simcord_env runs."""
    intents = discord.Intents.default()
    intents.message_content = True
    engine, service = bot
    return Client(engine, memory, service, Settings(burst=0), intents)


class Library:
    """A guild with Ada, Bob and a boss who manages it, and a channel that everyone reads."""

    def __init__(self, env: simcord.Env) -> None:
        self.guild = env.create_guild("Library")
        self.general = self.guild.create_text_channel("general")
        self.ada, self.bob = (self.guild.add_member(env.create_user(name)) for name in ("ada", "bob"))
        manages = self.guild.create_role("manages", permissions=discord.Permissions(manage_guild=True))
        self.boss = self.guild.add_member(env.create_user("boss"), roles=[manages])
        self.me = f"<@{env.bot.user.id}>"

    def said(self, channel: simcord.ChannelHandle | None = None) -> list[str]:
        """Return what the bot's messages in a channel say, the oldest first."""
        return [one.content for one in (channel or self.general).history() if one.author.bot]


@pytest.fixture
def library(simcord_env: simcord.Env) -> Library:
    return Library(simcord_env)


async def remembered(memory: Memory, library: Library) -> list[Turn]:
    """Return the turns of the library's channel."""
    return list(await memory.recent(_here(library), 20))


def _here(library: Library) -> Scope:
    return Scope(f"discord:{library.guild.id}", str(library.general.id), str(library.ada.id), Audience.PUBLIC)


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


async def answered(library: Library, model: ScriptedModel, said: str, answer: str) -> discord.Message:
    """Let Ada say something to the bot; return its answer."""
    model.script.append(answer)
    await library.ada.send(library.general, f"{library.me} {said}")
    return library.general.last_message


def read(result: simcord.InteractionResult) -> str:
    """Return what somebody reads who gave a command, pressed a button or chose from a menu."""
    said = [*([result.response] if result.response else []), *result.followups]
    return "\n".join(one.content for one in said)


async def heard(library: Library, memory: Memory, text: str) -> discord.Message:
    """Let memory have something that Ada says in the library; nobody answers it, which would take a second."""
    message = await library.ada.send(library.general, text)
    at = int(message.created_at.timestamp() * 1000)
    turn = Turn(str(message.id), str(library.general.id), str(library.ada.id), "ada", "user", text, at)
    await memory.remember(_here(library), [turn])
    return message


async def test_memory_list_numbers_what_is_remembered_and_forget_takes_the_numbers(library, memory):
    await heard(library, memory, "My dog is called Rex.")
    await heard(library, memory, "My cat is called Tom.")
    listed = await library.ada.slash(library.general, "memory list")
    assert re.search(r"1\. .*ada: My dog is called Rex\.\n2\. .*ada: My cat is called Tom\.", read(listed))
    assert listed.ephemeral
    asked = await library.ada.slash(library.general, "memory forget", which="1")
    await library.ada.click(asked.followups[-1] if asked.followups else asked.response, label="Yes")
    assert [one.text for one in await remembered(memory, library)] == ["My cat is called Tom."]


async def test_why_tells_what_was_recalled_whether_asked_by_command_or_button(library, model, memory):
    await heard(library, memory, "My dog is called Rex.")
    lounge = library.guild.create_text_channel("lounge")
    model.script = ["Rex."]
    await library.bob.send(lounge, f"{library.me} What is the dog called?")
    by_command = await library.bob.slash(lounge, "why")
    by_button = await library.ada.click(lounge.last_message, label="Why?")
    assert "My dog is called Rex." in read(by_command)
    assert read(by_button) == read(by_command)
    assert (by_command.ephemeral, by_button.ephemeral) == (True, True)


async def test_ask_is_answered_in_front_of_everybody(library, model):
    model.script = ["Paris."]
    await library.ada.slash(library.general, "ask", question="Where is @everyone?")
    question, answer = library.general.history()[-2:]
    assert (question.content, question.mention_everyone) == ("**ada** asks: Where is @everyon\u200be?", False)
    assert (answer.content, answer.reference.message_id) == ("Paris.", question.id)


async def test_help_lists_what_there_is(library):
    told = await library.ada.slash(library.general, "help")
    names = {name.split()[0] for name in library.ada.available_commands(library.general)}
    assert set(re.findall(r"`/(\w+)", read(told))) >= names >= {"ask", "memory", "why", "help"}


async def test_a_persona_is_given_by_those_who_manage_the_server_and_by_nobody_else(simcord_env, library, model):
    assert "persona" not in library.ada.available_commands(library.general)
    (command,) = [one for one in await simcord_env.bot.tree.fetch_commands() if one.name == "persona"]
    library.guild.set_command_permissions(command, {library.ada: True})
    refused = await library.ada.slash(library.general, "persona", text="You are a parrot.")
    assert read(refused) == "Only who manages this place may do that."
    await library.boss.slash(library.general, "persona", text="You are a pirate.")
    await answered(library, model, "Who are you?", "Arr!")
    assert "You are a pirate." in model.last_prompt
    assert "You are a pirate." in read(await library.boss.slash(library.general, "persona"))


async def test_forget_this_forgets_what_one_said_oneself(library, memory):
    said = await heard(library, memory, "My dog is called Rex.")
    refused = await library.bob.context_menu(library.general, "Forget this", said)
    assert "nothing of yours" in read(refused)
    assert len(await remembered(memory, library)) == 1
    assert "Forgotten." in read(await library.ada.context_menu(library.general, "Forget this", said))
    assert await remembered(memory, library) == []


async def test_ask_about_this_shows_the_model_what_it_is_about(library, model):
    said = await library.bob.send(library.general, "The meeting is at noon in Kyoto.")
    model.script = ["In Kyoto."]
    form = await library.ada.context_menu(library.general, "Ask about this", said)
    await library.ada.submit_modal(form, {"question": "Where is it?"})
    assert library.said()[-1] == "In Kyoto."
    assert "noon in Kyoto" in model.last_prompt
