"""The server that tests hold: `async with SlackLike() as server`, and then what people do there."""

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web

from tests.slacklike.answers import Answers
from tests.slacklike.deliveries import Deliveries
from tests.slacklike.http_mode import CHALLENGE, HttpMode
from tests.slacklike.installs import App
from tests.slacklike.interactions import Interactions
from tests.slacklike.methods_agents import AgentMethods
from tests.slacklike.methods_chat import ChatMethods
from tests.slacklike.methods_files import FileMethods
from tests.slacklike.methods_people import PeopleMethods
from tests.slacklike.methods_places import PlaceMethods
from tests.slacklike.methods_views import ViewMethods
from tests.slacklike.places import Places
from tests.slacklike.records import Channel, Json, Message, Person, Session, Team, View
from tests.slacklike.refusals import Refused
from tests.slacklike.rules import Rules
from tests.slacklike.socket_mode import PATH, SocketMode
from tests.slacklike.streams import Streams, settle
from tests.slacklike.surfaces import Surfaces
from tests.slacklike.talk import Talk, root_of
from tests.slacklike.views import Views
from tests.slacklike.web_api import PREFIX, WebApi
from tests.slacklike.world import World
from tests.waiting import until


class SlackLike:
    """A Slack on loopback, with one app, which is in the workspace `home`. Its state outlives the app's process."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.app = App(self.rules)
        self.socket_mode = SocketMode(self.rules, self.app.id)
        self.http_mode = HttpMode(self.rules, self.app.signing_secret)
        self.deliveries = Deliveries(self.rules, self.socket_mode)
        self.world = world = World(self.rules, self.app, self.deliveries)
        self.talk = talk = Talk(world)
        self.places = Places(world, talk)
        self.views = Views(self.rules, world.ids)
        self.streams = Streams(world, talk)
        self.surfaces = Surfaces(world, talk, self.views, self.streams)
        self.answers = Answers(world, talk, self.views)
        self.interactions = Interactions(world, self.views, self.answers)
        self.api = WebApi(self.app)
        self.api.open_socket = self.socket_mode.ticket
        self._files = FileMethods(world, talk)
        for part in (
            ChatMethods(world, talk, self.streams),
            PlaceMethods(world, self.places),
            PeopleMethods(world, self.places),
            ViewMethods(world, self.views),
            AgentMethods(world),
            self._files,
        ):
            self.api.methods |= part.methods()
        self.journal, self.faults, self.ratelimits = self.api.journal, self.api.faults, self.api.ratelimits
        self._offer_what_people_do()

    def _offer_what_people_do(self) -> None:
        """Let tests write `server.say(...)` wherever it is that saying is done."""
        world, talk, places = self.world, self.talk, self.places
        surfaces, interactions = self.surfaces, self.interactions
        self.me, self.home = world.me, world.home
        self.workspace, self.add_app, self.bot_of = world.workspace, world.add_app, world.bot_of
        self.person, self.channel, self.dm, self.group_dm = world.person, world.channel, world.dm, world.group_dm
        self.say, self.edit, self.delete = talk.say, talk.edit, talk.delete
        self.react, self.unfurl = talk.react, talk.unfurl
        self.join, self.leave, self.invite, self.kick = places.join, places.leave, places.invite, places.kick
        self.make_private, self.make_public = places.make_private, places.make_public
        self.share, self.unshare, self.rename = places.share, places.unshare, places.rename
        self.archive, self.unarchive, self.remove = places.archive, places.unarchive, places.remove
        self.become, self.uninstall = places.become, places.uninstall
        self.grant, self.withdraw = places.grant, places.withdraw
        self.slash, self.press, self.submit = interactions.slash, interactions.press, interactions.submit
        self.shortcut, self.global_shortcut = interactions.shortcut, interactions.global_shortcut
        self.close_modal = interactions.close
        self.open_home, self.open_dm, self.look_at = surfaces.open_home, surfaces.open_dm, surfaces.look_at
        self.open_assistant, self.look_beside = surfaces.open_assistant, surfaces.look_beside
        self.stop, self.other_app = surfaces.stop, surfaces.other_app

    async def __aenter__(self) -> "SlackLike":
        app = web.Application(client_max_size=1024 * 1024 * 1024)
        app.router.add_get(PATH, self.socket_mode.serve)
        app.router.add_route("*", PREFIX + "{method}", self.api.serve)
        for via in ("commands", "actions", "app"):
            app.router.add_post(f"/{via}/{{team}}/{{token}}", self._respond)
        self._files.add_routes(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1000).start()
        host, port = self._runner.addresses[0][:2]
        self.world.address = f"http://{host}:{port}"
        self.socket_mode.address = f"ws://{host}:{port}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.faults.clear()
        self.deliveries.stop()
        self.answers.stop()
        self.socket_mode.stop()
        await self.http_mode.stop()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The base of the Web API as SLACK_API_URL has it, with the slash at its end that slack_sdk needs."""
        return self.world.address + PREFIX

    @property
    def bot_token(self) -> str:
        """The app's token in the home workspace."""
        return self.world.install.token

    @property
    def environment(self) -> dict[str, str]:
        """What a process is told to be this app in Socket Mode, in one workspace."""
        return {
            "SLACK_API_URL": self.url,
            "SLACK_BOT_TOKEN": self.bot_token,
            "SLACK_APP_TOKEN": self.app.token,
        }

    @property
    def http_environment(self) -> dict[str, str]:
        """What a process is told to be this app over HTTP, in many workspaces.

        With SLACK_CLIENT_ID and SLACK_CLIENT_SECRET in its environment slack-bolt does OAuth, unless told otherwise.
        """
        return {
            "SLACK_API_URL": self.url,
            "SLACK_SIGNING_SECRET": self.app.signing_secret,
            "SLACK_CLIENT_ID": self.app.client_id,
            "SLACK_CLIENT_SECRET": self.app.client_secret,
        }

    async def serve_http(self, url: str) -> None:
        """Deliver to a request URL from now on, once it has answered the challenge; raises ValueError."""
        answered = await self.http_mode.verify(url)
        if answered != CHALLENGE:
            raise ValueError(f"{url} did not answer with the challenge")
        self.deliveries.outlet = self.http_mode

    def authorize(self, url: str, person: Person, *, org_wide: bool = False) -> str:
        """Let a person allow the app at the address of the authorize page; return where Slack sends them then.

        org_wide: for all of their organisation, which has to grant it to workspaces then.
        """
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        if asked.get("client_id") != self.app.client_id:
            raise ValueError("invalid client_id")
        scopes = frozenset(asked.get("scope", "").split(",")) - {""}
        redirect = asked.get("redirect_uri") or self.rules.redirect_uri
        install = self.world.prepared(person.team, person, scopes, org_wide=org_wide)
        return f"{redirect}?{urlencode({'code': self.app.allow(install, redirect), 'state': asked.get('state', '')})}"

    def refuse(self, url: str) -> str:
        """Let a person cancel at the authorize page; return where Slack sends them then."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        redirect = asked.get("redirect_uri") or self.rules.redirect_uri
        return f"{redirect}?{urlencode({'error': 'access_denied', 'state': asked.get('state', '')})}"

    async def connected(self, sockets: int = 1, seconds: float = 20) -> None:
        """Wait until so many sockets are open."""
        await self.until(lambda: len(self.socket_mode.ready) >= sockets, seconds)

    async def replied(self, channel: Channel, count: int = 1, seconds: float = 20) -> list[Message]:
        """Wait until the app has so many messages standing in a channel, none of them streaming; return them."""
        await self.until(
            lambda: len(self.said(channel)) >= count and not any(one.streaming for one in self.said(channel)), seconds
        )
        return self.said(channel)

    async def final(self, channel: Channel, text: str, seconds: float = 20) -> Message:
        """Wait until a message of the app says just this, and is whole; return it."""
        found = lambda: [one for one in self.said(channel) if one.text == text and not one.streaming]  # noqa: E731
        await self.until(found, seconds)
        return found()[-1]

    def said(self, channel: Channel) -> list[Message]:
        """Return the app's messages that people see in a channel and its threads."""
        found = [one for one in channel.messages if one.by_app and one.subtype != "assistant_app_thread"]
        for message in found:
            settle(message, self.rules)
        return found

    def thread(self, message: Message) -> list[Message]:
        """Return the replies in a thread."""
        return message.channel.replies(root_of(message))

    def seen(self, channel: Channel, person: Person) -> list[Message]:
        """Return what one person sees in a channel, the ephemeral too, oldest first."""
        if person.id not in channel.members:
            return []
        shown = [one for one in channel.log.values() if not one.deleted and one.seen_by in (None, person)]
        return sorted(shown, key=lambda message: message.ts)

    def ephemerals(self, person: Person) -> list[Message]:
        """Return what only this person sees, wherever it is."""
        return [one for one in self.talk.posted if one.seen_by is person and not one.deleted]

    def broadcasts(self) -> list[Message]:
        """Return the app's messages, deleted ones too, that ever called a channel, everyone or a group."""
        return [one for one in self.talk.posted if one.by_app and one.rang]

    def home_view(self, person: Person) -> View | None:
        """Return the Home tab that a person has."""
        return self.views.homes.get(person.id)

    def modal(self, person: Person) -> View | None:
        """Return the modal that a person looks at."""
        stack = self.views.stack(person)
        return stack[-1] if stack else None

    def session(self, thread: Message) -> Session:
        """Return what shows of the app's work in a thread: status, title, prompts."""
        return self.world.session(thread.channel, root_of(thread))

    def prompts(self, channel: Channel) -> list[Json]:
        """Return the prompts that are suggested above a conversation."""
        return self.world.session(channel, "").prompts

    def installed(self, team: Team) -> bool:
        return self.app.at(team) is not None

    async def until(self, holds: Callable[[], object], seconds: float = 20) -> None:
        """Wait until something holds."""
        await until(holds, seconds)

    async def _respond(self, request: web.Request) -> web.Response:
        """Take what is posted to a response_url."""
        try:
            self.answers.respond(request.match_info["token"], await request.json())
        except Refused as refused:
            status = 404 if refused.error in ("used_url", "expired_url", "invalid_url") else 400
            return web.json_response(refused.body, status=status)
        return web.Response(text="ok")
