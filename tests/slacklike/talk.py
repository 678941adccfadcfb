"""What is said: messages posted, edited, deleted and reacted to, by people and by the app."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.slacklike import blocks as kit
from tests.slacklike import payloads
from tests.slacklike.records import Channel, File, Json, Kind, Message, Person, Stream, Version
from tests.slacklike.world import World

HEARD = {Kind.PUBLIC: "message.channels", Kind.PRIVATE: "message.groups", Kind.IM: "message.im"}


@dataclass
class Draft:
    """A message before it is posted."""

    text: str = ""
    thread_ts: str = ""
    subtype: str = ""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    metadata: Json | None = None
    unfurl_links: bool = True
    unfurl_media: bool = True
    by_app: bool = False
    names_ring: bool = False  # link_names, or parse=full
    seen_by: Person | None = None
    stream: Stream | None = None
    at: datetime | None = None


class Talk:
    """Messages in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.posted: list[Message] = []  # everywhere, in order

    def post(self, channel: Channel, author: Person, draft: Draft) -> Message:
        """Post a message and tell the app, if it is in the conversation."""
        message = Message(
            ts=self.world.ids.ts(draft.at),
            channel=channel,
            author=author,
            text=draft.text,
            thread_ts=draft.thread_ts,
            subtype=draft.subtype or ("file_share" if draft.files else ""),
            blocks=draft.blocks,
            attachments=draft.attachments,
            files=draft.files,
            metadata=draft.metadata,
            unfurl_links=draft.unfurl_links,
            unfurl_media=draft.unfurl_media,
            by_app=draft.by_app,
            seen_by=draft.seen_by,
            stream=draft.stream,
        )
        for file in draft.files:
            file.channels.append(channel.id)
        channel.keep(message)
        self.posted.append(message)
        self.noted(message, names=draft.names_ring)
        if message.seen_by is None:
            self._tell_posted(message)
        return message

    def noted(self, message: Message, *, names: bool = False) -> None:
        """Keep what a message says now, and whether it calls anybody."""
        message.history.append(Version(time.monotonic(), message.shown))
        calls = kit.rings(message.text, message.blocks, message.attachments, names=names)
        message.rang = message.rang or (calls and message.seen_by is None)

    def say(
        self,
        channel: Channel,
        person: Person,
        text: str = "",
        *,
        thread: Message | str | None = None,
        files: Sequence[tuple[str, bytes]] = (),
        at: datetime | None = None,
        broadcast: bool = False,
        subtype: str = "",
    ) -> Message:
        """Let a person say something: in a thread, with files, at a past time, or back to the channel too."""
        if channel.archived or person.id not in channel.members:
            raise PermissionError(f"{person.name} cannot write in {channel.name}")
        kept = [self.world.file(name, data, person) for name, data in files]
        draft = Draft(text, thread_ts=root_of(thread), files=kept, at=at)
        draft.subtype = "thread_broadcast" if broadcast else subtype
        return self.post(channel, person, draft)

    def edit(self, message: Message, text: str) -> None:
        """Let the author of a message say it differently."""
        before = self.world.shown(message)
        message.text, message.edited = text, self.world.ids.ts()
        self.noted(message)
        self.changed(message, before)

    def unfurl(self, message: Message) -> None:
        """Add a link's preview, which comes as a change in which nobody edited anything."""
        before = self.world.shown(message)
        message.attachments = [*message.attachments, {"title": "A page", "from_url": "http://127.0.0.1/", "id": 1}]
        self.changed(message, before)

    def changed(self, message: Message, before: Json) -> None:
        """Tell that a message is not what it was."""
        if message.seen_by is None:
            event = {"subtype": "message_changed", "message": self.world.shown(message), "previous_message": before}
            self._tell(message.channel, event | {"hidden": True})

    def delete(self, message: Message) -> None:
        """Delete a message; of one with replies a tombstone is left, which comes as a change."""
        before = self.world.shown(message)
        if message.channel.replies(message.ts):
            message.deleted = True
            tombstone = payloads.tombstone(message)
            event = {"subtype": "message_changed", "message": tombstone, "previous_message": before}
        else:
            message.deleted = True
            event = {"subtype": "message_deleted", "deleted_ts": message.ts, "previous_message": before}
        if message.seen_by is None:
            self._tell(message.channel, event | {"hidden": True})

    def react(self, message: Message, person: Person, name: str) -> None:
        message.reactions.setdefault(name, []).append(person.id)
        event: Json = {"type": "reaction_added", "user": person.id, "reaction": name, "item_user": message.author.id}
        event |= {"item": {"type": "message", "channel": message.channel.id, "ts": message.ts}}
        self.world.tell(event | {"event_ts": self.world.ids.ts()}, "reaction_added", message.channel)

    def system(self, channel: Channel, person: Person, subtype: str, text: str, **more: str) -> Message:
        """Let Slack say what somebody did, such as `channel_join` or `channel_convert_to_private`."""
        message = Message(self.world.ids.ts(), channel, person, text, subtype=subtype)
        channel.keep(message)
        self._tell(channel, {**self.world.shown(message), **more, "ts": message.ts})
        return message

    def _tell_posted(self, message: Message) -> None:
        """Tell of a message, and beside it of the mention of the app in it: the same ts, two events."""
        data = self.world.shown(message)
        self._tell(message.channel, data)
        install = self.world.hearing(message.channel)
        if message.channel.kind == Kind.IM or message.by_app or install is None or message.subtype not in MENTIONING:
            return
        if install.bot.mention in message.text:
            kept = ("user", "text", "ts", "thread_ts", "parent_user_id", "team", "blocks", "files", "client_msg_id")
            event = {"type": "app_mention", **{name: data[name] for name in kept if name in data}}
            event |= {"channel": message.channel.id, "event_ts": message.ts}
            self.world.tell(event, "app_mention", message.channel)

    def _tell(self, channel: Channel, event: Json) -> None:
        ts = event.get("ts") or self.world.ids.ts()
        whole = {"type": "message", **event, "channel": channel.id, "ts": ts, "event_ts": ts}
        self.world.tell(whole | {"channel_type": channel.type}, HEARD.get(channel.kind, "message.mpim"), channel)


MENTIONING = ("", "file_share", "thread_broadcast")


def root_of(thread: Message | str | None) -> str:
    """Return the ts of a thread: of its parent, whichever message of it is meant."""
    if isinstance(thread, Message):
        return thread.thread_ts or thread.ts
    return thread or ""
