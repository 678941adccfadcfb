"""A channel's past in Slack, as it is learned: what people said there, and what the bot answered them."""

from collections.abc import AsyncIterator
from functools import partial

import structlog

from bot.apps.chat import BOT
from bot.errors import DeliveryRefused
from bot.lesson import Said
from bot.listening import Listening
from bot.platforms.slack import metadata, words
from bot.platforms.slack.audience import scope
from bot.platforms.slack.failures import FAILED, why
from bot.platforms.slack.intake import Heard, heard
from bot.platforms.slack.refusals import told
from bot.platforms.slack.tenants import tenant
from bot.platforms.slack.workspaces import Workspace, Workspaces
from memory.records import Turn, answer_id
from memory.scope import Scope

log = structlog.get_logger()

PAGE = 200


def turn(workspace: Workspace, one: Heard, author: str) -> Turn:
    """Return the turn that a person's message is."""
    return Turn(
        id=one.ts,
        conversation=one.channel,
        person=one.person,
        author=author,
        role="user",
        text=words.read(one.text, workspace.people.name),
        sent_at=one.sent_at,
    )


async def resume(listening: Listening, workspaces: Workspaces, name: str) -> None:
    """Go on learning what a process left unfinished, where Slack tells of the channel. Raises RedisError."""
    for team in workspaces.teams():
        for channel in await listening.learning.unfinished(tenant(team)):
            try:
                workspace = await workspaces.at(team)
                here = scope(team, await workspace.people.channel(channel), workspace.me)
            except (LookupError, *FAILED) as error:
                log.warning("learning not gone on with", channel=channel, error=why(error))
                continue
            listening.learning.resume(partial(_same, here), partial(past, workspace, channel, name))


async def past(workspace: Workspace, channel: str, name: str, after: str | None) -> AsyncIterator[Said]:
    """Yield what was said in a channel after a message, oldest first; threads are conversations of their own.

    Raises DeliveryRefused where the bot is not in the channel, DeliveryError.
    """
    pages: list[list[dict[str, object]]] = []
    latest: str | None = None
    with told():
        while True:  # Slack tells the newest first
            found = await workspace.client.conversations_history(
                channel=channel, oldest=after or "0", latest=latest, limit=PAGE, include_all_metadata=True
            )
            if found.get("error") == "not_in_channel":
                raise DeliveryRefused("invite me to the channel first")
            pages.append(list(found["messages"]))
            if not found.get("has_more") or not found["messages"]:
                break
            latest = found["messages"][-1]["ts"]
    for page in reversed(pages):
        for message in reversed(page):
            yield await _said(workspace, channel, name, message)


async def _said(workspace: Workspace, channel: str, name: str, message: "dict[str, object]") -> Said:
    ts = str(message["ts"])
    at = int(float(ts) * 1000)
    one = heard({**message, "channel": channel})
    if one is not None:
        with told():
            person = await workspace.people.person(one.person)
        return Said(ts, at, turn(workspace, one, person.name) if one.text.strip() else None)
    asked = metadata.asked(message)
    if message.get("bot_id") != workspace.bot or not asked:
        return Said(ts, at, None)
    text = words.answered(message) or words.read(str(message.get("text") or ""), workspace.people.name)
    answer = Turn(answer_id(asked), channel, BOT, name, "assistant", text, at)
    return Said(ts, at, answer if text else None)


def _same(here: Scope) -> Scope:
    return here
