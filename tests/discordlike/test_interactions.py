"""An unmodified discord.py talks with the server: commands, buttons and modals."""

import time

import discord
import pytest
from discord import app_commands

from tests.discordlike.conftest import online, refused
from tests.discordlike.records import Can


class AskModal(discord.ui.Modal, title="Ask"):
    question = discord.ui.TextInput(label="Question", custom_id="question")

    async def on_submit(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"You asked: {self.question.value}", ephemeral=True)


class Buttons(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Stop", custom_id="stop")
    async def stop_it(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        button.disabled = True
        await interaction.response.edit_message(content="stopped", view=self)

    @discord.ui.button(label="Why", custom_id="why")
    async def why(self, interaction: discord.Interaction, button: discord.ui.Button) -> None:
        await interaction.response.defer()
        await interaction.followup.send("because", ephemeral=True)


def table(tree: app_commands.CommandTree) -> None:
    """Commands of every kind."""

    @tree.command(description="Ask")
    async def ask(interaction: discord.Interaction, text: str, who: discord.Member | None = None) -> None:
        await interaction.response.send_message(f"{text} {who.name if who else ''}".strip(), view=Buttons())

    @tree.command(description="Think")
    async def think(interaction: discord.Interaction, private: bool = False) -> None:
        await interaction.response.defer(ephemeral=private, thinking=True)
        await interaction.edit_original_response(content="half")
        await interaction.edit_original_response(content="whole")
        await interaction.followup.send("and more", ephemeral=private)

    @tree.command(description="Open a modal")
    async def form(interaction: discord.Interaction) -> None:
        await interaction.response.send_modal(AskModal())

    @tree.command(description="Manage")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    async def manage(interaction: discord.Interaction) -> None:
        await interaction.response.send_message("managed")

    @tree.context_menu(name="Ask about this")
    async def about(interaction: discord.Interaction, message: discord.Message) -> None:
        await interaction.response.send_message(f"about: {message.content}", ephemeral=True)

    group = app_commands.Group(name="memory", description="Memory")

    @group.command(description="Search")
    async def search(interaction: discord.Interaction, query: str) -> None:
        await interaction.response.send_message(f"found {query}", ephemeral=True)

    @search.autocomplete("query")
    async def suggest(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=f"{typed} one", value="1")]

    tree.add_command(group)


@pytest.fixture
async def ada(server):
    return server.person("ada")


@pytest.fixture
async def general(server, client, ada):
    general = server.channel(server.guild("Library", ada), "general")
    table(client.tree)
    client.add_view(Buttons())
    await online(server, client)
    await client.tree.sync()
    return general


async def test_commands_are_registered_in_bulk_and_keep_their_ids(server, client, general):
    names = sorted(command["name"] for command in server.commands)
    assert names == ["Ask about this", "ask", "form", "manage", "memory", "think"]
    before = {command.name: command.id for command in await client.tree.fetch_commands()}
    client.tree.remove_command("form")
    after = {command.name: command.id for command in await client.tree.sync()}
    assert after == {name: number for name, number in before.items() if name != "form"}


async def test_a_command_that_discord_would_not_take_is_refused_with_the_field_at_fault(server, client, general):
    with pytest.raises(discord.HTTPException) as caught:
        await client.http.bulk_upsert_global_commands(client.application_id, [{"name": "Bad Name", "description": "x"}])
    assert (caught.value.code, caught.value.status) == (50035, 400)
    assert "0.name" in str(caught.value)


async def test_a_slash_command_is_answered_before_everybody(server, ada, general):
    asked = await server.slash(general, ada, "ask", {"text": "hello", "who": ada}).answered()
    await server.until(lambda: asked.texts == ["hello ada"])
    assert general.texts == ["hello ada"]
    assert asked.took < 3


async def test_a_deferred_answer_is_edited_and_followed_up(server, client, ada, general):
    asked = server.slash(general, ada, "think")
    await server.until(lambda: asked.texts == ["whole", "and more"])
    assert [version.text for version in asked.messages[0].history] == ["", "half", "whole"]
    assert not asked.messages[0].loading


async def test_an_ephemeral_answer_is_seen_by_one(server, ada, general):
    asked = server.slash(general, ada, "think", {"private": True})
    await server.until(lambda: asked.texts == ["whole", "and more"])
    assert general.texts == []
    found = await server.slash(general, ada, "memory search", {"query": "tea"}).answered()
    assert (found.texts, found.messages[0].ephemeral) == (["found tea"], True)


async def test_what_is_typed_is_completed(server, ada, general):
    typed = await server.suggest(general, ada, "memory search", "query", "tea").answered()
    assert typed.choices == [{"name": "tea one", "value": "1"}]


async def test_only_the_person_sees_what_is_ephemeral(server, ada, general):
    bob = server.person("bob")
    server.join(general.guild, bob)
    found = await server.slash(general, ada, "memory search", {"query": "tea"}).answered()
    assert (server.seen(general, ada), server.seen(general, bob)) == (found.messages, [])
    with pytest.raises(LookupError):
        server.press(found.messages[0], bob, "any")


async def test_a_context_menu_brings_the_message_even_without_the_intent(server, client, ada, general):
    message = server.say(general, ada, "the tea is cold")
    asked = await server.menu(general, ada, "Ask about this", message).answered()
    assert asked.texts == ["about: the tea is cold"]


async def test_a_button_changes_its_message_and_may_be_disabled(server, ada, general):
    asked = await server.slash(general, ada, "ask", {"text": "working"}).answered()
    (message,) = asked.messages
    why = server.press(message, ada, "Why")
    await server.until(lambda: why.texts == ["because"])
    await server.press(message, ada, "Stop").answered()
    assert general.texts == ["stopped"]
    with pytest.raises(PermissionError):
        server.press(message, ada, "stop")


async def test_a_modal_is_filled_in(server, ada, general):
    opened = await server.slash(general, ada, "form").answered()
    sent = await server.submit(opened, question="why?").answered()
    assert sent.texts == ["You asked: why?"]
    with pytest.raises(LookupError):
        server.submit(opened, nothing="?")


async def test_commands_work_where_and_for_whom_they_are_offered(server, ada, general):
    with pytest.raises(PermissionError):
        server.slash(general, ada, "manage")
    with pytest.raises(LookupError):
        server.slash(server.dm(ada), ada, "manage")
    with pytest.raises(LookupError):
        server.slash(general, ada, "nothing")
    with pytest.raises(LookupError):
        server.slash(general, ada, "ask")
    server.world.owner(general.guild, ada)
    assert (await server.slash(general, ada, "manage").answered()).texts == ["managed"]
    assert (await server.slash(server.dm(ada), ada, "ask", {"text": "hi"}).answered()).texts == ["hi"]
    group = server.group_dm(ada, server.person("bob"))
    assert (await server.slash(group, ada, "ask", {"text": "hi"}).answered()).texts == ["hi"]
    assert group.texts == ["hi"]


@pytest.fixture
async def held(server, client, ada, general):
    """An interaction that the client got and has not answered."""
    client.tree.clear_commands(guild=None)
    server.slash(general, ada, "think")
    await server.until(lambda: client.of("interaction"))
    return client.of("interaction")[0]


async def test_a_late_first_answer_is_unknown(server, held):
    server.rules.answer_within = 0.0
    (interaction,) = server.interactions.all.values()
    assert await refused(held.response.send_message("too late")) == (404, 10062)
    assert server.interactions.failed(interaction)


async def test_a_second_first_answer_is_already_acknowledged(server, held):
    await held.response.send_message("first")
    held.response._response_type = None
    assert await refused(held.response.send_message("second")) == (400, 40060)
    assert (await held.original_response()).content == "first"


async def test_a_token_works_after_the_answer_and_until_it_expires(server, held):
    assert await refused(held.followup.send("too early")) == (404, 10015)
    await held.response.defer(thinking=True)
    await held.followup.send("in its place")
    (interaction,) = server.interactions.all.values()
    assert interaction.texts == ["in its place"]
    await held.delete_original_response()
    assert await refused(held.edit_original_response(content="gone")) == (404, 10008)
    server.rules.token_life = 0.0
    assert await refused(held.followup.send("expired")) == (401, 50027)


async def test_answers_need_no_permission_to_send(server, held, general):
    server.overwrite(general, general.guild.everyone, deny=Can.SEND_MESSAGES)
    await held.response.send_message("x")
    assert general.texts == ["x"]
    assert await refused(held.followup.send("x" * 2001)) == (400, 50035)


async def test_the_deadline_is_three_seconds(server, held):
    (interaction,) = server.interactions.all.values()
    await server.until(lambda: server.interactions.failed(interaction))
    assert time.monotonic() - interaction.made_at >= 3
    assert await refused(held.response.defer()) == (404, 10062)
