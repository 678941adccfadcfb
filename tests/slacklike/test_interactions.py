"""Commands, buttons, shortcuts and modals, and what the app says to them."""

import pytest
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.slacklike.conftest import refused


def button(label, action_id, value="v"):
    return {
        "type": "button",
        "action_id": action_id,
        "value": value,
        "text": {"type": "plain_text", "text": label},
    }


def modal(title="Persona", **more):
    field = {"type": "plain_text_input", "action_id": "persona"}
    block = {"type": "input", "block_id": "who", "label": {"type": "plain_text", "text": "Who"}, "element": field}
    texts = {name: {"type": "plain_text", "text": word} for name, word in (("title", title), ("submit", "Save"))}
    return {"type": "modal", "callback_id": "persona", "blocks": [block], **texts, **more}


async def test_a_command_is_answered_at_once_and_later(server, bot, place):
    @bot.app.command("/ask")
    async def ask(ack, command, respond):
        await ack(f"Looking for {command['text']}")
        await respond("Found", response_type="in_channel")

    await bot.connect()
    interaction = server.slash(place.channel, place.ada, "/ask", "cats")
    await server.until(lambda: len(interaction.said) == 2)
    assert {one.shown for one in server.seen(place.channel, place.ada)} == {"Looking for cats", "Found"}
    assert [one.shown for one in server.seen(place.channel, place.ben)] == ["Found"]
    body = interaction.delivery.body
    assert (body["channel_name"], body["user_id"], body["team_id"]) == ("general", place.ada.id, server.home.id)


async def test_a_command_nobody_acknowledges_fails_and_does_not_come_again(server, bot, place):
    @bot.app.command("/slow")
    async def slow(command):
        """Forget to acknowledge."""

    await bot.connect()
    interaction = server.slash(place.channel, place.ada, "/slow")
    await server.until(lambda: interaction.failed)
    assert len(interaction.delivery.attempts) == 1
    server.rules.commands = frozenset({"/slow"})
    with pytest.raises(LookupError):
        server.slash(place.channel, place.ada, "/ask")


async def test_a_response_url_is_good_for_five_uses(server, bot, place):
    await bot.connect()
    interaction = server.slash(place.channel, place.ada, "/ask")
    hook = AsyncWebhookClient(interaction.delivery.body["response_url"])
    statuses = [(await hook.send(text=str(number))).status_code for number in range(6)]
    assert statuses == [200] * 5 + [404]
    assert [one.shown for one in server.ephemerals(place.ada)] == list("01234")
    server.rules.response_life = 0.0
    other = server.slash(place.channel, place.ada, "/ask")
    assert "expired_url" in (await AsyncWebhookClient(other.delivery.body["response_url"]).send(text="x")).body


async def test_a_button_is_pressed_and_its_message_replaced(server, bot, place):
    @bot.app.action("again")
    async def again(ack, body, respond):
        await ack()
        await respond(text=f"Pressed {body['actions'][0]['value']}", replace_original=True)

    await bot.connect()
    blocks = [{"type": "actions", "elements": [button("Again", "again", "t1"), button("Stop", "stop")]}]
    await bot.client.chat_postMessage(channel=place.channel.id, text="x", blocks=blocks)
    (message,) = server.said(place.channel)
    interaction = server.press(message, place.ada, "Again")
    await server.until(lambda: message.shown == "Pressed t1")
    body = interaction.delivery.body
    assert (body["container"]["message_ts"], body["message"]["ts"]) == (message.ts, message.ts)
    with pytest.raises(LookupError):
        server.press(message, place.ada, "Stop")


async def test_feedback_says_which_of_its_buttons_it_was(server, bot, place):
    await bot.connect()
    words = {"text": {"type": "plain_text", "text": "Good"}, "value": "good"}
    feedback = {"type": "feedback_buttons", "action_id": "feedback", "positive_button": words, "negative_button": words}
    blocks = [{"type": "markdown", "text": "x"}, {"type": "context_actions", "elements": [feedback]}]
    await bot.client.chat_postMessage(channel=place.channel.id, text="x", blocks=blocks)
    interaction = server.press(server.said(place.channel)[0], place.ada, "feedback", "good")
    await server.until(lambda: interaction.answered)
    assert interaction.delivery.body["actions"][0]["value"] == "good"


async def test_an_answer_that_slack_would_not_show_is_noted(server, bot, place):
    @bot.app.command("/ask")
    async def ask(ack):
        await ack(text="x", blocks=[{"type": "markdown", "text": "x" * 12_001}])

    await bot.connect()
    interaction = server.slash(place.channel, place.ada, "/ask")
    await server.until(lambda: interaction.refused)
    assert (interaction.refused, interaction.said) == ("invalid_blocks", [])


async def test_an_ephemeral_message_is_pressed_by_who_sees_it(server, bot, place):
    await bot.connect()
    blocks = [{"type": "actions", "elements": [button("Forget", "forget")]}]
    await bot.client.chat_postEphemeral(channel=place.channel.id, user=place.ada.id, text="x", blocks=blocks)
    (message,) = server.ephemerals(place.ada)
    with pytest.raises(LookupError):
        server.press(message, place.ben, "Forget")
    interaction = server.press(message, place.ada, "Forget")
    await server.until(lambda: interaction.answered)
    assert ("message" in interaction.delivery.body, interaction.delivery.body["container"]["is_ephemeral"]) == (
        False,
        True,
    )
    await AsyncWebhookClient(interaction.delivery.body["response_url"]).send(delete_original=True)
    assert server.ephemerals(place.ada) == []


async def test_a_shortcut_opens_a_modal_and_its_values_come_back(server, bot, place):
    @bot.app.shortcut("ask_about")
    async def ask(ack, shortcut, client):
        await ack()
        view = modal(private_metadata=shortcut["message"]["ts"])
        await client.views_open(trigger_id=shortcut["trigger_id"], view=view)

    submitted = []

    @bot.app.view("persona")
    async def save(ack, view):
        submitted.append(view)
        value = view["state"]["values"]["who"]["persona"]["value"]
        await (ack() if value else ack(response_action="errors", errors={"who": "Say who"}))

    await bot.connect()
    said = server.say(place.channel, place.ben, "cats are liquid")
    server.shortcut(said, place.ada, "ask_about")
    await server.until(lambda: server.modal(place.ada))
    server.submit(place.ada, persona="")
    await server.until(lambda: server.modal(place.ada).errors)
    assert server.modal(place.ada).errors == {"who": "Say who"}
    server.submit(place.ada, Who="a pirate")
    await server.until(lambda: server.modal(place.ada) is None)
    assert [view["private_metadata"] for view in submitted] == [said.ts] * 2


async def test_a_modal_is_updated_pushed_and_closed(server, bot, place):
    await bot.connect()
    trigger = server.slash(place.channel, place.ada, "/persona").delivery.body["trigger_id"]
    opened = (await bot.client.views_open(trigger_id=trigger, view=modal(notify_on_close=True)))["view"]
    assert await refused(bot.client.views_open(trigger_id=trigger, view=modal())) == "exchanged_trigger_id"
    await bot.client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal("New", notify_on_close=True))
    again = bot.client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal("Newer"))
    assert await refused(again) == "hash_conflict"
    trigger = server.slash(place.channel, place.ada, "/persona").delivery.body["trigger_id"]
    await bot.client.views_push(trigger_id=trigger, view=modal("Over"))
    assert server.modal(place.ada).data["title"]["text"] == "Over"
    assert server.close_modal(place.ada) is None
    closed = server.close_modal(place.ada)
    await server.until(lambda: closed.answered)
    assert (closed.delivery.name, server.modal(place.ada)) == ("view_closed", None)
    assert await refused(bot.client.views_open(trigger_id="1.2.3", view=modal())) == "invalid_trigger_id"
    server.rules.trigger_life = 0.0
    late = server.slash(place.channel, place.ada, "/persona").delivery.body["trigger_id"]
    assert await refused(bot.client.views_open(trigger_id=late, view=modal())) == "expired_trigger_id"


@pytest.mark.parametrize("wrong", [{"title": "x" * 25}, {"submit": None}, {"private_metadata": "x" * 3001}])
async def test_what_slack_would_not_show_is_refused(server, bot, place, wrong):
    trigger = server.slash(place.channel, place.ada, "/persona").delivery.body["trigger_id"]
    view = modal(wrong["title"]) if "title" in wrong else modal() | wrong
    assert await refused(bot.client.views_open(trigger_id=trigger, view=view)) == "invalid_arguments"
    assert server.modal(place.ada) is None


async def test_the_home_tab_is_published_and_its_buttons_pressed(server, bot, place):
    pressed = []

    @bot.app.action("forget")
    async def forget(ack, body):
        await ack()
        pressed.append(body["view"]["id"])

    await bot.connect()
    section = {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "*3* memories"},
        "accessory": button("X", "forget"),
    }
    await bot.client.views_publish(user_id=place.ada.id, view={"type": "home", "blocks": [section]})
    home = server.home_view(place.ada)
    assert (home.shown, list(home.buttons), server.home_view(place.ben)) == ("*3* memories X", ["X"], None)
    interaction = server.press(home, place.ada, "X")
    await server.until(lambda: pressed == [home.id])
    assert "response_url" not in interaction.delivery.body


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": {"type": "plain_text", "text": "x" * 2001}},
        {"label": {"type": "plain_text", "text": ""}},
        {"element": {"type": "plain_text_input", "action_id": "a", "max_length": 3001}},
        {"element": {"type": "plain_text_input", "action_id": "a", "max_length": 3, "initial_value": "four"}},
    ],
)
async def test_a_field_is_refused_that_slack_would_not_show(server, bot, place, wrong):
    view = modal()
    view["blocks"][0] |= wrong
    trigger = server.views.trigger(place.ada)
    assert await refused(bot.client.views_open(trigger_id=trigger, view=view)) == "invalid_blocks"
    assert server.modal(place.ada) is None
