"""What people do where they talk with an agent: open its tabs, look elsewhere, press Stop."""

from tests.slacklike import payloads
from tests.slacklike.deliveries import Delivery
from tests.slacklike.records import Channel, Json, Message, Person
from tests.slacklike.streams import Streams
from tests.slacklike.talk import Draft, Talk, root_of
from tests.slacklike.views import Views
from tests.slacklike.world import World


class Surfaces:
    """The app's Home, its DM, and what is beside them."""

    def __init__(self, world: World, talk: Talk, views: Views, streams: Streams) -> None:
        self.world, self.talk, self.views, self.streams = world, talk, views, streams

    def open_home(self, person: Person) -> Delivery | None:
        """Open the app's Home tab."""
        event = self._opened(person, "home")
        view = self.views.homes.get(person.id)
        if view is not None:
            event["view"] = payloads.view(view, self.world.app.id, self.world.bot_of(person.team))
        return self.world.tell(event, "app_home_opened", self.world.dm(person))

    def open_dm(self, person: Person, looking_at: Channel | None = None) -> Delivery | None:
        """Open the app's DM, perhaps while looking at a channel."""
        event = self._opened(person, "messages")
        if looking_at is not None:
            event["context"] = _context(looking_at)
        return self.world.tell(event, "app_home_opened", self.world.dm(person))

    def look_at(self, person: Person, channel: Channel | None) -> Delivery | None:
        """Look at another channel, or at none, while the app is open beside it."""
        context = _context(channel) if channel is not None else {}
        event: Json = {"type": "app_context_changed", "user": person.id, "channel": self.world.dm(person).id}
        event |= {"context": context, "event_ts": self.world.ids.ts()}
        return self.world.tell(event, "app_context_changed", self.world.dm(person))

    def open_assistant(self, person: Person, looking_at: Channel | None = None) -> Message:
        """Open a thread of the older assistant view; return its first message, which Slack posts for the app."""
        channel = self.world.dm(person)
        bot = self.world.bot_of(person.team)
        root = Message(self.world.ids.ts(), channel, bot, "New Assistant Thread", by_app=True)
        root.thread_ts, root.subtype = root.ts, "assistant_app_thread"
        channel.keep(root)
        self._assistant("assistant_thread_started", person, root, looking_at)
        return root

    def look_beside(self, person: Person, thread: Message, channel: Channel) -> None:
        """Look at another channel while a thread of the older assistant view is open."""
        self._assistant("assistant_thread_context_changed", person, thread, channel)

    def stop(self, thread: Message, person: Person) -> list[str]:
        """Press the native Stop button of a thread; return the ts of the streams that Slack stopped."""
        return self.streams.halt(thread.channel, root_of(thread), person)

    def other_app(self, channel: Channel, bot: Person, text: str, thread: Message | None = None) -> Message:
        """Let another app say something."""
        return self.talk.post(channel, bot, Draft(text, root_of(thread)))

    def _opened(self, person: Person, tab: str) -> Json:
        event: Json = {"type": "app_home_opened", "user": person.id, "channel": self.world.dm(person).id, "tab": tab}
        return event | {"event_ts": self.world.ids.ts()}

    def _assistant(self, name: str, person: Person, thread: Message, looking_at: Channel | None) -> None:
        context: Json = {}
        if looking_at is not None:
            context = {"channel_id": looking_at.id, "team_id": looking_at.team.id, "enterprise_id": None}
        about = {"user_id": person.id, "context": context, "channel_id": thread.channel.id, "thread_ts": thread.ts}
        event = {"type": name, "assistant_thread": about, "event_ts": self.world.ids.ts()}
        self.world.tell(event, name, thread.channel)


def _context(channel: Channel) -> Json:
    return {"entities": [{"type": "slack#/types/channel_id", "value": channel.id, "team_id": channel.team.id}]}
