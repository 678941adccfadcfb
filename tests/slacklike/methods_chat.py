"""chat.*: what the app posts, changes and deletes."""

import re

from tests.slacklike.forms import check_message
from tests.slacklike.records import Channel, Json, Kind, Message
from tests.slacklike.refusals import Refused
from tests.slacklike.streams import Streams, settle
from tests.slacklike.talk import Draft, Talk
from tests.slacklike.web_api import Call, Method
from tests.slacklike.world import World


class ChatMethods:
    """Handlers for messages."""

    def __init__(self, world: World, talk: Talk, streams: Streams) -> None:
        self.world, self.talk, self.streams = world, talk, streams

    def methods(self) -> dict[str, Method]:
        return {
            "chat.postMessage": Method(self.post, "chat:write"),
            "chat.postEphemeral": Method(self.whisper, "chat:write"),
            "chat.update": Method(self.update, "chat:write"),
            "chat.delete": Method(self.delete, "chat:write"),
            "chat.getPermalink": Method(self.permalink),
            "chat.startStream": Method(self.streams.start, "chat:write"),
            "chat.appendStream": Method(self.streams.append, "chat:write"),
            "chat.stopStream": Method(self.streams.stop, "chat:write"),
            "reactions.add": Method(self.react, "reactions:write"),
            "reactions.remove": Method(self.unreact, "reactions:write"),
        }

    def post(self, call: Call) -> Json:
        channel = self._writable(call)
        draft = self._draft(call)
        if call.args.get("thread_ts") is not None:
            if not re.fullmatch(r"\d+\.\d+", draft.thread_ts):
                raise Refused("invalid_thread_ts")
            thread = self.world.find_thread(channel, draft.thread_ts)
            draft.thread_ts = thread.thread_ts or thread.ts
            draft.subtype = "thread_broadcast" if call.flag("reply_broadcast") else ""
        message = self.talk.post(channel, call.install.bot, draft)
        self.streams.cleared(channel, message.thread_ts)
        return {"channel": channel.id, "ts": message.ts, "message": self.world.shown(message)}

    def whisper(self, call: Call) -> Json:
        channel = self._writable(call)
        draft = self._draft(call)
        person = channel.members.get(str(call.args.get("user")))
        if person is None:
            raise Refused("user_not_in_channel")
        draft.seen_by = person
        return {"message_ts": self.talk.post(channel, call.install.bot, draft).ts}

    def update(self, call: Call) -> Json:
        """Change a message: what is not named stays, but `text` without blocks keeps the old blocks."""
        channel, message = self._own(call, "cant_update_message")
        settle(message, self.world.rules)
        if message.streaming:
            raise Refused("streaming_state_conflict")
        args = call.args
        check_message(args, self.world.rules, text_limit=self.world.rules.update_characters)
        before = self.world.shown(message)
        if args.get("markdown_text") is not None:
            message.text, message.blocks = args["markdown_text"], [markdown(args["markdown_text"])]
        message.text = args.get("text", message.text) or ""
        message.blocks = identified(args.get("blocks", message.blocks) or [])
        message.attachments = args.get("attachments", message.attachments) or []
        message.metadata = args.get("metadata", message.metadata)
        message.stream, message.edited = None, self.world.ids.ts()
        self.talk.noted(message, names=self._names(call))
        self.talk.changed(message, before)
        return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": self.world.shown(message)}

    def delete(self, call: Call) -> Json:
        channel, message = self._own(call, "cant_delete_message")
        settle(message, self.world.rules)
        if message.streaming:
            raise Refused("cant_delete_message")
        self.talk.delete(message)
        return {"channel": channel.id, "ts": message.ts}

    def permalink(self, call: Call) -> Json:
        channel = self.world.find(call.install, call.args.get("channel"))
        message = self.world.find_message(channel, call.args.get("message_ts"))
        domain, point = call.install.team.domain, message.ts.replace(".", "")
        return {"channel": channel.id, "permalink": f"https://{domain}.slack.com/archives/{channel.id}/p{point}"}

    def react(self, call: Call) -> None:
        message, name = self._reacted(call)
        if call.install.bot.id in message.reactions.get(name, []):
            raise Refused("already_reacted")
        self.talk.react(message, call.install.bot, name)

    def unreact(self, call: Call) -> None:
        message, name = self._reacted(call)
        if call.install.bot.id not in message.reactions.get(name, []):
            raise Refused("no_reaction")
        message.reactions[name].remove(call.install.bot.id)

    def _reacted(self, call: Call) -> tuple[Message, str]:
        channel = self.world.member_in(call.install, call.args.get("channel"))
        name = str(call.args.get("name") or "")
        if not name or ":" in name:
            raise Refused("invalid_name")
        return self.world.find_message(channel, call.args.get("timestamp")), name

    def _writable(self, call: Call) -> Channel:
        """Return where a message goes; a person's id is their DM."""
        target = str(call.args.get("channel") or "")
        person = self.world.people.get(target)
        if person is not None:
            if person.bot_id:
                raise Refused("cannot_dm_bot")
            return self.world.between(Kind.IM, person, call.install.bot)
        channel = self.world.member_in(call.install, target)
        if channel.archived:
            raise Refused("is_archived")
        return channel

    def _draft(self, call: Call) -> Draft:
        args, most = call.args, self.world.rules.text_characters
        check_message(args, self.world.rules, text_limit=10**9)
        text = str(args.get("text") or "")
        if len(text) > most:
            text = text[:most]
            call.warnings.append("message_truncated")
        blocks = args.get("blocks") or []
        if args.get("markdown_text") is not None:
            text, blocks = args["markdown_text"], [markdown(args["markdown_text"])]
        return Draft(
            text,
            thread_ts=str(args.get("thread_ts") or ""),
            blocks=identified(blocks),
            attachments=args.get("attachments") or [],
            metadata=args.get("metadata"),
            unfurl_links=call.flag("unfurl_links", otherwise=True),
            unfurl_media=call.flag("unfurl_media", otherwise=True),
            by_app=True,
            names_ring=self._names(call),
        )

    def _own(self, call: Call, error: str) -> tuple[Channel, Message]:
        """Return a message of the app's, else the error that a foreign one gets."""
        channel = self.world.find(call.install, call.args.get("channel"))
        message = self.world.find_message(channel, call.args.get("ts"))
        if message.author is not call.install.bot:
            raise Refused(error)
        return channel, message

    @staticmethod
    def _names(call: Call) -> bool:
        return call.flag("link_names") or call.args.get("parse") == "full"


def markdown(text: str) -> Json:
    return {"type": "markdown", "text": text}


def identified(blocks: list[Json]) -> list[Json]:
    """Give every block an id that has none, as Slack does."""
    return [block if block.get("block_id") else block | {"block_id": f"b{at}"} for at, block in enumerate(blocks)]
