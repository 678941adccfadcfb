"""Messages over REST: what the bot reads and writes, with Discord's checks in Discord's order."""

import time
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from tests.discordlike import payloads
from tests.discordlike.forms import check_message
from tests.discordlike.permissions import in_channel, may_send
from tests.discordlike.records import Attachment, Can, Channel, Json, Kind, Message, when
from tests.discordlike.refusals import Refused, bad_form
from tests.discordlike.rest import Request, Route
from tests.discordlike.rules import MESSAGE_CONTENT
from tests.discordlike.talk import REPLY, Draft, Talk
from tests.discordlike.world import World

CHANNEL = "/channels/{channel}"
MESSAGE = CHANNEL + "/messages/{message}"
REACTION = MESSAGE + "/reactions/{emoji}/@me"


class MessageRoutes:
    """Handlers for messages, typing and reactions."""

    def __init__(self, world: World, talk: Talk) -> None:
        self.world = world
        self.talk = talk

    def routes(self) -> list[Route]:
        return [
            ("POST", CHANNEL + "/messages", self.create),
            ("GET", CHANNEL + "/messages", self.history),
            ("POST", CHANNEL + "/messages/bulk-delete", self.bulk_delete),
            ("GET", MESSAGE, self.get),
            ("PATCH", MESSAGE, self.edit),
            ("DELETE", MESSAGE, self.delete),
            ("POST", CHANNEL + "/typing", self.type),
            ("PUT", REACTION, self.react),
            ("DELETE", REACTION, self.unreact),
        ]

    async def create(self, request: Request) -> Json:
        channel, body = self.world.find(request.path["channel"]), request.body
        self._may_post(channel, body, bool(request.files))
        check_message(body, request.files, self.world.rules, new=True)
        nonce = None if body.get("nonce") is None else str(body["nonce"])
        if nonce is not None and body.get("enforce_nonce"):
            already = self.talk.same(self.world.me, nonce)
            if already is not None:
                return self._shown(already)
        draft = Draft(
            text=body.get("content") or "",
            reply_to=self._replied(channel, body.get("message_reference")),
            attachments=self.files(channel, request),
            embeds=body.get("embeds") or [],
            components=body.get("components") or [],
            flags=body.get("flags") or 0,
            nonce=nonce,
            allowed_mentions=body.get("allowed_mentions"),
        )
        return self._shown(self.talk.post(channel, self.world.me, draft))

    async def get(self, request: Request) -> Json:
        channel = self.world.find(request.path["channel"])
        self._need(channel, Can.READ_MESSAGE_HISTORY)
        return self._shown(self.world.find_message(channel, request.path["message"]))

    async def history(self, request: Request) -> list[Json]:
        """Return messages, newest first: the latest, or those before, after or around one."""
        channel, query = self.world.find(request.path["channel"]), request.query
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= 100:
            raise bad_form("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
        if Can.READ_MESSAGE_HISTORY not in in_channel(channel, self.world.me):
            return []
        found = channel.messages
        if "before" in query:
            found = [one for one in found if one.id < int(query["before"])][-limit:]
        elif "after" in query:
            found = [one for one in found if one.id > int(query["after"])][:limit]
        elif "around" in query:
            middle = int(query["around"])
            older = [one for one in found if one.id < middle][-(limit // 2) :]
            found = older + [one for one in found if one.id >= middle][: limit - len(older)]
        else:
            found = found[-limit:]
        return [self._shown(message) for message in reversed(found)]

    async def edit(self, request: Request) -> Json:
        channel = self.world.find(request.path["channel"])
        message = self.world.find_message(channel, request.path["message"])
        if message.author is not self.world.me:
            raise Refused(50005)
        if channel.archived:
            raise Refused(50083)
        check_message(request.body, request.files, self.world.rules, new=False)
        if "content" in request.body and not _left(message, request):
            raise Refused(50006)
        self._count_old(message)
        self.talk.revise(message, request.body, self.kept(message, request))
        return self._shown(message)

    async def delete(self, request: Request) -> None:
        channel = self.world.find(request.path["channel"])
        message = self.world.find_message(channel, request.path["message"])
        if message.author is not self.world.me:
            self._need(channel, Can.MANAGE_MESSAGES)
        self.talk.delete(message)

    async def bulk_delete(self, request: Request) -> None:
        channel = self.world.find(request.path["channel"])
        if channel.guild is None:
            raise Refused(50003)
        self._need(channel, Can.MANAGE_MESSAGES)
        ids = [int(one) for one in request.body["messages"]]
        if not 2 <= len(ids) <= 100:
            raise Refused(50016)
        if any(datetime.now(UTC) - when(one) > timedelta(days=14) for one in ids):
            raise Refused(50034)
        found = [channel.log[one] for one in ids if one in channel.log and not channel.log[one].deleted]
        if found:
            self.talk.delete(*found)

    async def type(self, request: Request) -> None:
        channel = self.world.find(request.path["channel"])
        self._need(channel, may_send(channel))
        self.talk.type(channel, self.world.me)

    async def react(self, request: Request) -> None:
        channel = self.world.find(request.path["channel"])
        self._need(channel, Can.ADD_REACTIONS | Can.READ_MESSAGE_HISTORY)
        message = self.world.find_message(channel, request.path["message"])
        self.talk.react(message, self.world.me, unquote(request.path["emoji"]))

    async def unreact(self, request: Request) -> None:
        channel = self.world.find(request.path["channel"])
        message = self.world.find_message(channel, request.path["message"])
        self.talk.unreact(message, self.world.me, unquote(request.path["emoji"]))

    def files(self, channel: Channel, request: Request) -> list[Attachment]:
        return [self.world.attach(channel, name, data) for name, data in request.files]

    def kept(self, message: Message, request: Request) -> list[Attachment] | None:
        """Return the attachments after an edit: those it lists, and its new files; None when it names none."""
        if "attachments" not in request.body and not request.files:
            return None
        listed = {str(one.get("id")) for one in request.body.get("attachments") or []}
        old = [one for one in message.attachments if str(one.id) in listed]
        return old + self.files(message.channel, request)

    def _shown(self, message: Message) -> Json:
        data = payloads.message(message, self.world.people, self.world.me)
        whole = message.channel.guild is None or self.world.rules.privileged & MESSAGE_CONTENT
        return data if whole else payloads.blanked(data, self.world.me)

    def _may_post(self, channel: Channel, body: Json, files: bool) -> None:
        if channel.kind == Kind.CATEGORY:
            raise Refused(50024)
        if channel.kind == Kind.DM and not all(one.takes_dms for one in channel.people.values()):
            raise Refused(50007)
        self._need(channel, may_send(channel))
        if files:
            self._need(channel, Can.ATTACH_FILES)
        if body.get("embeds"):
            self._need(channel, Can.EMBED_LINKS)
        if channel.locked and Can.MANAGE_THREADS not in in_channel(channel, self.world.me):
            raise Refused(50083)

    def _replied(self, channel: Channel, reference: Json | None) -> int | None:
        if reference is None:
            return None
        if Can.READ_MESSAGE_HISTORY not in in_channel(channel, self.world.me):
            raise Refused(160002)
        original = channel.log.get(int(reference["message_id"]))
        if original is not None and not original.deleted:
            if original.type not in (0, REPLY, 20, 21, 23):
                raise bad_form(
                    "message_reference", "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message"
                )
            return original.id
        if reference.get("fail_if_not_exists", True):
            raise bad_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return None

    def _count_old(self, message: Message) -> None:
        """Refuse what is edited too often when it is old."""
        rules = self.world.rules
        if time.time() - when(message.id).timestamp() < rules.old_after:
            return
        message.edits_when_old += 1
        if message.edits_when_old > rules.edits_of_old:
            raise Refused(30046, retry_after=rules.old_edit_retry_after)

    def _need(self, channel: Channel, permission: Can) -> None:
        if permission not in in_channel(channel, self.world.me):
            raise Refused(50013)


def _left(message: Message, request: Request) -> bool:
    """Whether anything is left of a message after an edit that changes its text."""
    parts = {"embeds": message.embeds, "attachments": message.attachments, "components": message.components}
    kept = [request.body.get(name, old) for name, old in parts.items()]
    return bool(request.body["content"] or request.files or any(kept))
