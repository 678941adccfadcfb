"""A channel's past, as it is learned: what people said there, and what the bot answered them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import discord

from bot.apps.chat import BOT
from bot.errors import DeliveryRefused
from bot.lesson import Progress, Report, Said, silent
from bot.listening import Listening
from bot.platforms.discord import intake
from bot.platforms.discord.audience import scope
from bot.platforms.discord.outlet import Outlet, told
from memory.records import Turn, answer_id

Readable = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread

PARTS_WITHIN = 60.0  # seconds between the parts of one long answer, at most


async def learn(
    listening: Listening,
    channel: Readable,
    me: discord.ClientUser,
    name: str,
    report: Report = silent,
    *,
    anew: bool = False,
) -> bool:
    """Learn what was said in a channel before; False where it is being learned already.

    name: the bot's. report: such as Shown. anew: from its beginning. Raises what `Learning.begin` raises.
    """
    where, read = partial(scope, channel, me.id), partial(past, channel, me, name)
    return await listening.learning.begin(where, read, report, anew=anew)


async def resume(listening: Listening, guild: discord.Guild, me: discord.ClientUser, name: str) -> None:
    """Go on learning what a process left unfinished; a channel that is gone is learned no more. Raises RedisError."""
    tenant = f"discord:{guild.id}"
    for conversation in await listening.learning.unfinished(tenant):
        channel = guild.get_channel_or_thread(int(conversation))
        if isinstance(channel, Readable):
            listening.learning.resume(partial(scope, channel, me.id), partial(past, channel, me, name))
        elif channel is None:
            await listening.learning.stop(tenant, conversation)


async def past(channel: Readable, me: discord.ClientUser, name: str, after: str | None) -> AsyncIterator[Said]:
    """Yield what was said after a message, oldest first, at the pace that Discord allows.

    The parts of a long answer are one. Raises DeliveryRefused where the bot may not look back, DeliveryError.
    """
    if not channel.permissions_for(channel.guild.me).read_message_history:
        raise DeliveryRefused("give me the permission Read Message History")
    start = discord.Object(int(after)) if after is not None else None
    answer: Said | None = None
    ended: datetime | None = None  # when the answer's last part was posted
    with told():
        async with aclosing(channel.history(limit=None, after=start, oldest_first=True)) as messages:  # type: ignore[type-var]
            async for message in messages:
                if answer is not None and ended is not None and _continues(message, me, ended):
                    answer, ended = _longer(answer, message), message.created_at
                    continue
                if answer is not None:
                    yield answer
                    answer = None
                one = said(message, me, name)
                if message.author.id == me.id and one.turn is not None:
                    answer, ended = one, message.created_at
                else:
                    yield one
    if answer is not None:
        yield answer


def said(message: discord.Message, me: discord.ClientUser, name: str) -> Said:
    """Return what a message is: what a person says, or what the bot answers; nothing else is remembered."""
    at = int(message.created_at.timestamp() * 1000)
    if message.author.id == me.id:
        return Said(str(message.id), at, _answer(message, name, at))
    turn = heard(message, me) if intake.by_person(message) else None
    return Said(str(message.id), at, turn if turn is not None and turn.text else None)


def heard(message: discord.Message, me: discord.ClientUser) -> Turn:
    """Return the turn that a person's message is."""
    return Turn(
        id=str(message.id),
        conversation=str(message.channel.id),
        person=str(message.author.id),
        author=message.author.display_name,
        role="user",
        text=intake.words(message, me),
        sent_at=int(message.created_at.timestamp() * 1000),
    )


def _answer(message: discord.Message, name: str, at: int) -> Turn | None:
    """Return what the bot answered, as it is remembered when it answers; None where it answers nobody who is there."""
    asked = message.reference.resolved if message.reference else None
    if not isinstance(asked, discord.Message) or not intake.by_person(asked) or not (text := _text(message)):
        return None
    return Turn(
        id=answer_id(str(asked.id)),
        conversation=str(message.channel.id),
        person=BOT,
        author=name,
        role="assistant",
        text=text,
        sent_at=at,
        to=str(asked.author.id),
    )


def _continues(message: discord.Message, me: discord.ClientUser, ended: datetime) -> bool:
    """Tell whether a message is another part of the answer before it."""
    alone = message.reference is None and message.interaction_metadata is None
    soon = (message.created_at - ended).total_seconds() <= PARTS_WITHIN
    return message.author.id == me.id and message.type is discord.MessageType.default and alone and soon


def _longer(answer: Said, part: discord.Message) -> Said:
    assert answer.turn is not None
    text = "\n".join(filter(None, (answer.turn.text, _text(part))))
    return Said(str(part.id), answer.at, replace(answer.turn, text=text), answer.messages + 1)


def _text(message: discord.Message) -> str:
    """Return what an answer says, without the small print that stands below it."""
    lines = message.clean_content.splitlines()
    return "\n".join(line for line in lines if not line.startswith("-# ")).strip()


class Shown:
    """Progress, shown in one message of a channel; when that cannot be written, nobody sees it."""

    def __init__(self, channel: Readable, timezone: str) -> None:
        self._outlet = Outlet(channel)
        self._nonce = f"learn-{channel.id}"[:25]
        self._timezone = timezone
        self._message: str | None = None

    async def __call__(self, progress: Progress) -> None:
        """Show how far it is. Raises DeliveryError."""
        text = line(progress, self._timezone)
        if self._message is None:
            self._message = await self._outlet.send(text, self._nonce)
        else:
            await self._outlet.edit(self._message, text)


def line(progress: Progress, timezone: str) -> str:
    """Return how far a channel's past is learned, as people are told."""
    moment = datetime.fromtimestamp(progress.upto / 1000, ZoneInfo(timezone))
    upto = f", up to {moment.day} {moment:%B} {moment.year}" if progress.upto else ""
    if progress.trouble:
        return f"I stopped learning what was said here after {progress.done:,} messages{upto}: {progress.trouble}."
    if progress.over:
        return f"I have learned what was said here: {progress.done:,} messages{upto}."
    return f"I am learning what was said here: {progress.done:,} of about {progress.about:,} messages{upto}."
