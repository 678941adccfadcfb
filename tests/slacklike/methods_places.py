"""conversations.* and users.conversations: where the app is, and what was said there."""

from typing import Any

from tests.slacklike import payloads
from tests.slacklike.places import Places
from tests.slacklike.records import Channel, Json, Kind, Message
from tests.slacklike.refusals import Refused
from tests.slacklike.web_api import Call, Method, page
from tests.slacklike.world import World, sees

FAMILY = {Kind.PUBLIC: "channels", Kind.PRIVATE: "groups", Kind.IM: "im", Kind.MPIM: "mpim"}


class PlaceMethods:
    """Handlers for conversations."""

    def __init__(self, world: World, places: Places) -> None:
        self.world, self.places = world, places

    def methods(self) -> dict[str, Method]:
        return {
            "conversations.info": Method(self.info),
            "conversations.history": Method(self.history),
            "conversations.replies": Method(self.replies),
            "conversations.members": Method(self.members),
            "conversations.list": Method(self.all),
            "conversations.open": Method(self.open),
            "conversations.join": Method(self.join, "channels:join"),
            "conversations.leave": Method(self.leave),
            "users.conversations": Method(self.own),
        }

    def info(self, call: Call) -> Json:
        channel = self._read(call, "read")
        data = payloads.channel(channel, call.install.bot)
        if call.flag("include_num_members"):
            data["num_members"] = len(channel.members)
        return {"channel": data}

    def history(self, call: Call) -> Json:
        """Return a page of messages outside of threads, newest first."""
        channel = self._read(call, "history", inside=True)
        found = [one for one in channel.messages if not one.is_reply or one.subtype == "thread_broadcast"]
        return self._page(call, list(reversed(_between(found, call))))

    def replies(self, call: Call) -> Json:
        """Return a page of a thread, oldest first; the parent is always the first."""
        channel = self._read(call, "history", inside=True)
        one = self.world.find_thread(channel, call.args.get("ts"))
        root = one.thread_ts or one.ts
        parent = [channel.log[root]] if root in channel.log else []
        return self._page(call, [*parent, *_between(channel.replies(root), call)])

    def members(self, call: Call) -> Json:
        channel = self._read(call, "read")
        ids, cursor = page(list(channel.members), call)
        return {"members": ids, "response_metadata": {"next_cursor": cursor}}

    def all(self, call: Call) -> Json:
        return self._listed(call, lambda one: sees(call.install, one))

    def own(self, call: Call) -> Json:
        user = str(call.args.get("user") or call.install.bot.id)
        return self._listed(call, lambda one: user in one.members and sees(call.install, one))

    def open(self, call: Call) -> Json:
        """Open a DM or a group DM."""
        if call.args.get("channel"):
            channel = self.world.find(call.install, call.args["channel"])
        else:
            people = self.world.members_of(str(call.args.get("users") or "").split(","))
            kind = Kind.IM if len(people) == 1 else Kind.MPIM
            call.need("im:write" if kind == Kind.IM else "mpim:write")
            if any(person.bot_id for person in people):
                raise Refused("cannot_dm_bot")
            channel = self.world.between(kind, *people, call.install.bot)
        return {
            "channel": payloads.channel(channel, call.install.bot) if call.flag("return_im") else {"id": channel.id}
        }

    def join(self, call: Call) -> Json:
        channel = self.world.find(call.install, call.args.get("channel"))
        if channel.kind != Kind.PUBLIC:
            raise Refused("method_not_supported_for_channel_type")
        if channel.archived:
            raise Refused("is_archived")
        if call.install.bot.id in channel.members:
            call.warnings.append("already_in_channel")
        else:
            self.places.join(channel, call.install.bot)
        return {"channel": payloads.channel(channel, call.install.bot)}

    def leave(self, call: Call) -> Json:
        channel = self.world.find(call.install, call.args.get("channel"))
        if call.install.bot.id not in channel.members:
            return {"not_in_channel": True}
        self.places.leave(channel, call.install.bot)
        return {}

    def _read(self, call: Call, what: str, *, inside: bool = False) -> Channel:
        """Return a conversation that the app may read; each kind has a scope of its own."""
        find = self.world.member_in if inside else self.world.find
        channel = find(call.install, call.args.get("channel"))
        call.need(f"{FAMILY[channel.kind]}:{what}")
        return channel

    def _listed(self, call: Call, wanted: Any) -> Json:
        kinds = str(call.args.get("types") or Kind.PUBLIC).split(",")
        for kind in kinds:
            if kind not in FAMILY:
                raise Refused("invalid_types")
            call.need(f"{FAMILY[Kind(kind)]}:read")
        found = [one for one in self.world.channels.values() if one.kind in kinds and not one.deleted and wanted(one)]
        if call.flag("exclude_archived"):
            found = [one for one in found if not one.archived]
        listed, cursor = page(found, call)
        channels = [payloads.channel(one, call.install.bot) for one in listed]
        return {"channels": channels, "response_metadata": {"next_cursor": cursor}}

    def _page(self, call: Call, messages: list[Message]) -> Json:
        rules = self.world.rules
        found, cursor = page(messages, call, most=rules.history_items if rules.distributed else 999)
        metadata = call.flag("include_all_metadata")
        shown = [self.world.shown(message, metadata=metadata) for message in found]
        data: Json = {"messages": shown, "has_more": bool(cursor)}
        return data | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})


def _between(messages: list[Message], call: Call) -> list[Message]:
    """Return the messages after `oldest` and before `latest`, with those themselves if it is `inclusive`."""
    oldest, latest = str(call.args.get("oldest") or "0"), str(call.args.get("latest") or "9" * 10)
    edges = {oldest, latest} if call.flag("inclusive") else set()
    return [one for one in messages if float(oldest) < float(one.ts) < float(latest) or one.ts in edges]
