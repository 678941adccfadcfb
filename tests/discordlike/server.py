"""The server that tests hold: `async with DiscordLike() as server`, and then what people do there."""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from tests.discordlike import threads
from tests.discordlike.gateway import Gateway
from tests.discordlike.interactions import Interactions
from tests.discordlike.permissions import can_see
from tests.discordlike.ratelimits import RateLimits
from tests.discordlike.records import Channel, Guild, Json, Message, Person
from tests.discordlike.rest import PREFIX, Rest
from tests.discordlike.rest_messages import MessageRoutes
from tests.discordlike.rest_places import PlaceRoutes
from tests.discordlike.rules import Rules
from tests.discordlike.sessions import Sessions, emit
from tests.discordlike.talk import Talk
from tests.discordlike.world import World


class DiscordLike:
    """A Discord on loopback. Its state outlives the bot, which may be killed and come again."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._usual = replace(self.rules)
        self.world = world = World(self.rules, self._emit)
        self.token = token_of(world.me)
        self.talk = talk = Talk(world)
        self.sessions = Sessions(world.ids)
        self.gateway = Gateway(self.token)
        self.rest = rest = Rest(self.token)
        self._places = PlaceRoutes(world, talk)
        self._messages = MessageRoutes(world, talk)
        self.interactions = Interactions(world, talk, self._messages, self._places)
        self.journal, self.faults, self.ratelimits = rest.journal, rest.faults, rest.ratelimits
        self._offer_what_people_do()

    def _offer_what_people_do(self) -> None:
        """Let tests write `server.say(...)` wherever it is that saying is done."""
        world, talk, interactions = self.world, self.talk, self.interactions
        self.me, self.person, self.guild, self.role = world.me, world.person, world.guild, world.role
        self.channel, self.dm, self.group_dm = world.channel, world.dm, world.group_dm
        self.join, self.leave, self.enter, self.quit = world.join, world.leave, world.enter, world.quit
        self.overwrite, self.permit, self.dress = world.overwrite, world.permit, world.dress
        self.remove, self.outage, self.vacate = world.remove, world.outage, world.vacate
        self.say, self.edit, self.delete = talk.say, talk.edit, talk.delete
        self.react, self.unfurl = talk.react, talk.unfurl
        self.slash, self.menu, self.suggest = interactions.slash, interactions.menu, interactions.suggest
        self.press, self.submit, self.failed = interactions.press, interactions.submit, interactions.failed

    async def __aenter__(self) -> "DiscordLike":
        app = web.Application(client_max_size=100 * 1024 * 1024)
        app.router.add_get("/gateway/", self.gateway.serve)
        app.router.add_get("/attachments/{channel}/{attachment}/{name}", self._download)
        for part in (self._places, self._messages, self.interactions):
            self.rest.add(app, part.routes())
        self.rest.add_unknown(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1000).start()
        port = self._runner.addresses[0][1]
        self.world.address = f"http://127.0.0.1:{port}"
        self._places.gateway_address = f"ws://127.0.0.1:{port}/gateway/"
        self.gateway.start(self.world, self.sessions, self._places.gateway_address)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.faults.clear()
        self.gateway.stop()
        await self._runner.cleanup()

    def mend(self) -> None:
        """Undo what a test has changed or broken; what people and the bot did stays."""
        vars(self.rules).update(vars(self._usual))
        vars(self.ratelimits).update(vars(RateLimits()))
        self.faults.clear()
        self.gateway.acks, self.gateway.resumes, self.gateway.shut = True, True, False

    @property
    def api(self) -> str:
        """The REST base, such as discord.py's `Route.BASE` wants it."""
        return self.world.address + PREFIX

    @property
    def gateway_address(self) -> str:
        """Where the gateway is, as GET /gateway/bot says."""
        return self._places.gateway_address

    @property
    def commands(self) -> list[Json]:
        """The global commands that are registered."""
        return self._places.commands.get(0, [])

    def thread(
        self, parent: Channel, name: str, by: Person, *, message: Message | None = None, private: bool = False
    ) -> Channel:
        """Let a person start a thread."""
        return threads.start(self.talk, parent, name, by, message=message, private=private)

    async def connected(self, shards: int = 1, seconds: float = 20) -> None:
        """Wait until this many shards are being served."""
        await self.until(lambda: len(self.gateway.ready) >= shards, seconds)

    async def replied(self, channel: Channel, count: int = 1, seconds: float = 20) -> list[Message]:
        """Wait until the bot has so many messages standing in a channel; return them."""
        await self.until(lambda: len(self.said(channel)) >= count, seconds)
        return self.said(channel)

    def said(self, channel: Channel) -> list[Message]:
        """Return the bot's messages that people see in a channel."""
        return [message for message in channel.messages if message.author is self.me]

    def seen(self, channel: Channel, person: Person) -> list[Message]:
        """Return what one person sees in a channel, the ephemeral too, oldest first."""
        if not can_see(channel, person):
            return []
        shown = [one for one in channel.log.values() if not one.deleted and one.seen_by in (None, person)]
        return sorted(shown, key=lambda message: message.id)

    def broadcasts(self) -> list[Message]:
        """Return the bot's messages, deleted ones too, that ever reached everyone or a role."""
        return [one for one in self.talk.posted if one.author is self.me and one.broadcast]

    async def until(self, holds: Callable[[], object], seconds: float = 20) -> None:
        """Wait until something holds."""
        ends = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > ends:
                raise TimeoutError(f"it does not hold after {seconds:g} s")
            await asyncio.sleep(0.005)

    def _emit(self, event: str, data: Json, where: Channel | Guild | None) -> None:
        emit(self.sessions, self.world, event, data, where)

    async def _download(self, request: web.Request) -> web.Response:
        """Serve an attachment for as long as its signed address lives."""
        attachment, expires = self.world.files.get(int(request.match_info["attachment"]), (None, 0.0))
        if attachment is None or time.monotonic() > expires or request.query.get("hm") != f"{attachment.id:x}":
            return web.Response(status=404, text="This content is no longer available.")
        return web.Response(body=attachment.data, content_type=attachment.content_type)


def token_of(person: Person) -> str:
    """Return a token of the shape that Discord's have: the bot's id, a time and a secret."""
    return f"{base64.b64encode(str(person.id).encode()).decode().rstrip('=')}.Gabcde.{'s' * 38}"
