"""Channels, threads, guilds, people and the application over REST."""

from tests.discordlike import payloads, threads
from tests.discordlike.forms import check_commands
from tests.discordlike.permissions import can_see, in_channel
from tests.discordlike.records import Can, Channel, Guild, Json, Kind, Message
from tests.discordlike.refusals import Refused, bad_form
from tests.discordlike.rest import Request, Route
from tests.discordlike.talk import Talk
from tests.discordlike.world import World

CHANNEL = "/channels/{channel}"
GUILD = "/guilds/{guild}"
COMMANDS = "/applications/{application}/commands"
GUILD_COMMANDS = "/applications/{application}/guilds/{guild}/commands"


class PlaceRoutes:
    """Handlers for where the bot is, and for what it is."""

    def __init__(self, world: World, talk: Talk) -> None:
        self.world = world
        self.talk = talk
        self.gateway_address = ""
        self.commands: dict[int, list[Json]] = {}  # by guild; 0 is everywhere

    def routes(self) -> list[Route]:
        return [
            ("GET", "/gateway", self.gateway),
            ("GET", "/gateway/bot", self.gateway),
            ("GET", "/users/@me", self.myself),
            ("GET", "/users/{user}", self.user),
            ("POST", "/users/@me/channels", self.open_dm),
            ("GET", "/applications/@me", self.application),
            ("GET", "/oauth2/applications/@me", self.application),
            ("GET", COMMANDS, self.list_commands),
            ("PUT", COMMANDS, self.overwrite_commands),
            ("GET", GUILD_COMMANDS, self.list_commands),
            ("PUT", GUILD_COMMANDS, self.overwrite_commands),
            ("GET", CHANNEL, self.channel),
            ("PATCH", CHANNEL, self.change),
            ("DELETE", CHANNEL, self.remove),
            ("POST", CHANNEL + "/threads", self.start_thread),
            ("POST", CHANNEL + "/messages/{message}/threads", self.start_thread),
            ("PUT", CHANNEL + "/thread-members/{user}", self.join),
            ("DELETE", CHANNEL + "/thread-members/{user}", self.leave),
            ("GET", GUILD, self.guild),
            ("GET", GUILD + "/channels", self.channels),
            ("GET", GUILD + "/roles", self.roles),
            ("GET", GUILD + "/members/{user}", self.member),
            ("GET", GUILD + "/threads/active", self.active_threads),
        ]

    async def gateway(self, request: Request) -> Json:
        limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
        return {"url": self.gateway_address, "shards": self.world.rules.shards_required, "session_start_limit": limit}

    async def myself(self, request: Request) -> Json:
        return payloads.user(self.world.me) | {"verified": True, "mfa_enabled": False}

    async def user(self, request: Request) -> Json:
        person = self.world.people.get(int(request.path["user"]))
        if person is None:
            raise Refused(10013)
        return payloads.user(person)

    async def open_dm(self, request: Request) -> Json:
        person = self.world.people.get(int(request.body["recipient_id"]))
        if person is None:
            raise Refused(10013)
        return payloads.channel(self.world.dm(person), self.world.me)

    async def application(self, request: Request) -> Json:
        return {
            "id": str(self.world.me.id),
            "name": self.world.me.name,
            "description": "",
            "icon": None,
            "bot_public": True,
            "bot_require_code_grant": False,
            "owner": payloads.user(next(iter(self.world.people.values()))),
            "verify_key": "",
            "flags": payloads.application_flags(self.world.rules),
            "team": None,
        }

    async def list_commands(self, request: Request) -> list[Json]:
        return self.commands.get(int(request.path.get("guild", 0)), [])

    async def overwrite_commands(self, request: Request) -> list[Json]:
        """Register exactly these; a command keeps its id for as long as its name and type stay."""
        check_commands(request.body, self.world.rules)
        guild = int(request.path.get("guild", 0))
        ids = {(one["type"], one["name"]): one["id"] for one in self.commands.get(guild, [])}
        registered = []
        for command in request.body:
            kind = command.get("type", 1)
            kept = {"id": ids.get((kind, command["name"])) or str(self.world.ids.next()), "type": kind}
            kept |= {"application_id": str(self.world.me.id), "version": str(self.world.ids.next())}
            kept |= {"guild_id": str(guild)} if guild else {}
            registered.append({"description": "", **command, **kept})
        self.commands[guild] = registered
        return registered

    async def channel(self, request: Request) -> Json:
        return payloads.channel(self.world.find(request.path["channel"]), self.world.me)

    async def change(self, request: Request) -> Json:
        channel, body = self.world.find(request.path["channel"]), request.body
        mine = channel.is_thread and channel.owner is self.world.me
        if not mine:
            self._need(channel, Can.MANAGE_THREADS if channel.is_thread else Can.MANAGE_CHANNELS)
        self._check_name(body.get("name", channel.name))
        for name in ("name", "topic", "nsfw", "archived", "locked"):
            if name in body:
                setattr(channel, name, body[name])
        self.world.changed(channel)
        return payloads.channel(channel, self.world.me)

    async def remove(self, request: Request) -> Json:
        channel = self.world.find(request.path["channel"])
        self._need(channel, Can.MANAGE_THREADS if channel.is_thread else Can.MANAGE_CHANNELS)
        self.world.remove(channel)
        return payloads.channel(channel, self.world.me)

    async def start_thread(self, request: Request) -> Json:
        parent, message = self.world.find(request.path["channel"]), self._starter(request)
        if parent.kind not in (Kind.TEXT, Kind.NEWS):
            raise Refused(50024)
        private = message is None and request.body.get("type", Kind.PRIVATE_THREAD) == Kind.PRIVATE_THREAD
        self._need(parent, Can.CREATE_PRIVATE_THREADS if private else Can.CREATE_PUBLIC_THREADS)
        self._check_name(request.body.get("name", ""))
        if message is not None and message.thread is not None:
            raise Refused(160004)
        thread = threads.start(self.talk, parent, request.body["name"], self.world.me, message=message, private=private)
        return payloads.channel(thread, self.world.me)

    async def join(self, request: Request) -> None:
        self.world.enter(self._thread(request), self.world.people[self._person_id(request)])

    async def leave(self, request: Request) -> None:
        self.world.quit(self._thread(request), self.world.people[self._person_id(request)])

    async def guild(self, request: Request) -> Json:
        return self.world.whole(self._guild(request), members=False)

    async def channels(self, request: Request) -> list[Json]:
        return self.world.whole(self._guild(request), members=False)["channels"]

    async def roles(self, request: Request) -> list[Json]:
        return [payloads.role(role) for role in self._guild(request).roles.values()]

    async def member(self, request: Request) -> Json:
        guild, person = self._guild(request), self._person_id(request)
        if person not in guild.members:
            raise Refused(10007 if person in self.world.people else 10013)
        return payloads.member(guild, self.world.people[person])

    async def active_threads(self, request: Request) -> Json:
        guild, me = self._guild(request), self.world.me
        found = [one for one in self.world.channels.values() if one.guild is guild and one.is_thread]
        shown = [one for one in found if not one.archived and can_see(one, me)]
        members = [payloads.thread_member(one, me) for one in shown if me.id in one.people]
        return {"threads": [payloads.channel(one, me) for one in shown], "members": members}

    def _guild(self, request: Request) -> Guild:
        guild = self.world.guilds.get(int(request.path["guild"]))
        if guild is None:
            raise Refused(10004)
        if self.world.me.id not in guild.members:
            raise Refused(50001)
        return guild

    def _thread(self, request: Request) -> Channel:
        channel = self.world.find(request.path["channel"])
        if not channel.is_thread:
            raise Refused(50024)
        return channel

    def _starter(self, request: Request) -> Message | None:
        if "message" not in request.path:
            return None
        return self.world.find_message(self.world.find(request.path["channel"]), request.path["message"])

    def _person_id(self, request: Request) -> int:
        named = request.path["user"]
        return self.world.me.id if named == "@me" else int(named)

    def _check_name(self, name: str) -> None:
        if not 1 <= len(name) <= 100:
            raise bad_form("name", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")

    def _need(self, channel: Channel, permission: Can) -> None:
        if permission not in in_channel(channel, self.world.me):
            raise Refused(50013)
