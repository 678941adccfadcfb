"""Where people do something in Slack, as the desk of all platforms takes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError

from bot.channels import Channel, announcement
from bot.commands.base import File, Slash, Switch, slashed
from bot.conversation import Asked
from bot.delivery.mentions import quiet_on_slack
from bot.delivery.parts import SLACK
from bot.errors import CommandError
from bot.lesson import Progress
from bot.places import Shown, Who
from bot.platforms.slack import blocks, past, people
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.failures import coded
from bot.platforms.slack.intake import Heard
from bot.platforms.slack.metadata import NO_REPLY
from bot.platforms.slack.plainly import plain
from bot.platforms.slack.questions import Origin
from bot.platforms.slack.refusals import told
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.talks import Talks
from bot.platforms.slack.workspaces import Workspace
from bot.records import Incoming, Seen
from memory.records import Turn
from memory.scope import Scope

log = structlog.get_logger()

NOT_IN = frozenset({"not_in_channel", "channel_not_found"})
NOT_HERE = "I am not in this channel: say `/invite @{}` here first, or ask me in a direct message"
IN_A_CHANNEL = "That can be said in a channel"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where somebody does something, in a thread or not. url: where Slack takes a few answers to it.

    slash: what people type there for a command.
    """

    channel: str
    thread: str | None
    person: str
    url: str | None = None
    slash: Slash = slashed


class Place:
    """Something that somebody does, and how they are answered."""

    limit = SLACK

    def __init__(self, rooms: Rooms, talks: Talks, workspace: Workspace, spot: Spot) -> None:
        self._rooms = rooms
        self._talks = talks
        self._workspace = workspace
        self._spot = spot

    def quiet(self, text: str) -> str:
        """Return a text that calls nobody."""
        return quiet_on_slack(text)

    async def who(self) -> Who:
        """Return who does it, and where."""
        with told():
            person = await self._workspace.people.person(self._spot.person)
        quick = scope(self._workspace.team, await self._channel(), person, self._spot.thread, narrow=self._narrow)
        return Who(
            await self._talks.readers.settled(self._workspace, quick),
            person.name,
            manager=person.admin,
            moderator=person.admin,
            link=partial(link, self._workspace),
            slash=self._spot.slash,
        )

    async def wait(self, *, openly: bool) -> None:
        """Slack has been told already that it came."""

    async def show(self, shown: Shown, *, openly: bool = False) -> None:
        """Tell whoever does it, and nobody else unless openly; a file comes in their direct messages."""
        below = [blocks.confirm(shown.confirm)] if shown.confirm else []
        text = f"{shown.text}\n\nIt is in your direct messages with me." if shown.file else shown.text
        answer = {"text": plain(text), "blocks": [blocks.markdown(text), *below]}
        await self._answer(answer, openly=openly)
        if shown.file is not None:
            await send_file(self._workspace, self._spot.person, shown.file, shown.text)

    async def settle(self) -> None:
        """Take away the message of which a button was pressed: what it asked is answered."""
        if self._spot.url is not None:
            await self._responded({"delete_original": True})

    async def say(self, text: str) -> str:
        """Say something in front of everybody, in the thread that this is."""
        return await self._post(text, self._spot.thread)

    async def take(self, message: str, question: str, context: Sequence[Seen]) -> bool:
        """Let a message of ours be answered that says what somebody asks."""
        channel = await self._channel()
        thread = self._spot.thread or (None if channel.kind == "direct" else message)
        one = Heard(message, self._spot.channel, self._spot.person, question, thread)
        with told():
            incoming = await self._talks.questions.incoming(self._workspace, one)
        incoming = replace(incoming, text=question, context=context)
        return self._talks.take(Asked(incoming, Origin(self._workspace, one)))

    async def take_again(self, incoming: Incoming) -> bool:
        """Let a message be answered anew, as it is now. Raises LookupError where Slack does not know it any more."""
        try:
            asked = await self._talks.questions.found(incoming)
        except SlackApiError as error:
            raise LookupError(incoming.id) from error
        return self._talks.take(replace(asked, anew=True))

    async def stop(self, message: str) -> bool:
        """Stop the answer to a message, wherever that is asked: in the channel, or in a thread."""
        channel = self._spot.channel
        for conversation in (channel, f"{channel}:{self._spot.thread}", f"{channel}:{message}"):
            talk = self._talks.at(self._workspace.team, conversation)
            if talk is not None and await talk.stop_answer(message):
                return True
        return False

    async def open_thread(self, topic: str) -> bool:
        """Open a thread in which every message is for the bot; a topic is the first one."""
        name = (await self.who()).name
        ts = await self._post(f"**{name}** opens a chat" + (f": {topic}" if topic else "."), None)
        inside = Place(self._rooms, self._talks, self._workspace, replace(self._spot, thread=ts, url=None))
        if topic:
            return await inside.take(ts, topic, ())
        await inside.say("Every message in this thread is for me.")
        here = (await inside.who()).scope
        await self._rooms.engine.inbox.done(Incoming(ts, here, name, ".", int(float(ts) * 1000)))
        return True

    async def switch(self, wanted: Switch) -> Channel:
        """Switch on or off what the bot does in this channel; that it remembers all is announced there."""
        channels, here = self._rooms.service.listening.channels, await self._whole()
        if wanted.remembers and not (await channels.get(here)).remembers:
            who, slash = await self.who(), self._spot.slash
            await self._post(announcement(who.name, slash("memory"), slash("privacy")), None)
        return await channels.set(here, joins=wanted.joins, remembers=wanted.remembers)

    async def learn(self) -> bool:
        """Begin to learn what was said in this channel; what came of it is said there."""
        here = await self._whole()
        read = partial(past.past, self._workspace, self._spot.channel, self._rooms.settings.name)

        async def report(progress: Progress) -> None:
            if progress.over or progress.trouble:
                text = progress.trouble or f"I have learned what was said here: {progress.done:,} messages"
                await self._post(f"{text}.", None)

        return await self._rooms.service.listening.learning.begin(lambda: here, read, report)

    async def open(self, trigger: str, view: dict[str, Any]) -> None:
        """Open a dialog. trigger: good for three seconds; when it is not any more, that is said."""
        try:
            await self._workspace.client.views_open(trigger_id=trigger, view=view)
        except SlackApiError as error:
            log.warning("dialog not opened", error=coded(error))
            await self.show(Shown("That took me too long, and Slack waits three seconds only: please do it again."))

    async def _channel(self) -> people.Channel:
        """Return what the channel is; one that the bot cannot look into is private, and anybody may be in it."""
        try:
            return await self._workspace.people.channel(self._spot.channel)
        except SlackApiError as error:
            if coded(error) in NOT_IN:
                return people.Channel(self._spot.channel, "private", outsiders=True)
            with told():
                raise

    async def _whole(self) -> Scope:
        """Return the channel as a whole."""
        channel = await self._channel()
        if channel.kind == "direct":
            raise CommandError(IN_A_CHANNEL)
        return scope(self._workspace.team, channel, self._spot.person)

    async def _post(self, text: str, thread: str | None) -> str:
        text = quiet_on_slack(text)
        try:
            posted = await self._workspace.sender.chat_postMessage(
                channel=self._spot.channel, thread_ts=thread, text=plain(text), blocks=[blocks.markdown(text)],
                unfurl_links=False, unfurl_media=False, metadata=NO_REPLY,
            )  # fmt: skip
        except SlackApiError as error:
            if coded(error) in NOT_IN:
                raise CommandError(NOT_HERE.format(self._rooms.settings.name)) from error
            with told():
                raise
        return str(posted["ts"])

    async def _answer(self, answer: dict[str, Any], *, openly: bool) -> None:
        """Answer by the address that came with what was done, else by a message that one person sees, or all."""
        kind = "in_channel" if openly else "ephemeral"
        if self._spot.url is not None and await self._responded({**answer, "response_type": kind}):
            return
        client, spot = self._workspace.client, self._spot
        where: dict[str, Any] = {"channel": spot.channel, "thread_ts": spot.thread}
        with told():
            if openly or self._spot.channel.startswith("D"):
                await client.chat_postMessage(**where, **answer, metadata=NO_REPLY)
            else:
                await client.chat_postEphemeral(user=self._spot.person, **where, **answer)

    async def _responded(self, answer: dict[str, Any]) -> bool:
        """Use the address that came with what was done: it is good for five uses, in half an hour."""
        assert self._spot.url is not None
        inside = {"thread_ts": self._spot.thread} if self._spot.thread else {}
        try:
            return await self._rooms.workspaces.respond(self._spot.url, {"replace_original": False, **inside, **answer})
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            log.info("response_url not used", error=type(error).__name__)
            return False

    @property
    def _narrow(self) -> bool:
        return self._rooms.settings.recall_from == "conversation"


def link(workspace: Workspace, turn: Turn) -> str:
    """Return the address of a turn in Slack."""
    channel, thread = place(turn.conversation)
    ts = turn.id.removesuffix(".reply").replace(".", "")
    inside = f"?thread_ts={thread}&cid={channel}" if thread else ""
    return f"{workspace.url}archives/{channel}/p{ts}{inside}" if ts.isdecimal() else ""


async def send_file(workspace: Workspace, person: str, file: File, text: str) -> None:
    """Send somebody a file in their direct messages. Raises DeliveryError.

    A message to their id opens these; `conversations.open` takes a scope more.
    """
    with told():
        posted = await workspace.sender.chat_postMessage(channel=person, text=plain(text))
        await workspace.client.files_upload_v2(channel=posted["channel"], filename=file.name, content=file.text)
