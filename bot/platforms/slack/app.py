"""Events and actions of Slack in, the engine's answers out.

Slack is told that something has come only once it is written down (`process_before_response`): what it was told and we
lost, it would not send again. What takes longer is done beside.
"""

import re

from slack_bolt.async_app import AsyncApp

from bot.platforms.slack import past
from bot.platforms.slack.actions import Actions
from bot.platforms.slack.comings import Comings
from bot.platforms.slack.floor import Floor
from bot.platforms.slack.messages import Messages
from bot.platforms.slack.missed import Missed
from bot.platforms.slack.readers import Readers
from bot.platforms.slack.rooms import Rooms
from bot.platforms.slack.talks import Talks
from bot.platforms.slack.views import Views

HEARD_ONLY = ("channel_archive", "channel_unarchive", "group_archive", "group_unarchive")


class SlackApp:
    """Registers what is heard, and answers it."""

    def __init__(self, bolt: AsyncApp, rooms: Rooms) -> None:
        self._floor = Floor(rooms)
        self._messages = Messages(self._floor)
        for one in (self._messages, Comings(self._floor), Views(self._floor), Actions(self._floor)):
            one.register(bolt)
        for event in HEARD_ONLY:
            bolt.event(event)(_on_nothing)
        bolt.event(re.compile(".*"))(_on_nothing)  # what nobody acknowledges is sent again

    @property
    def talks(self) -> Talks:
        """The conversations that are going on."""
        return self._floor.talks

    @property
    def readers(self) -> Readers:
        """Who can read what, as memory is told of it."""
        return self._floor.readers

    @property
    def missed(self) -> Missed:
        """What was said while nobody listened."""
        return self._messages.missed

    def resume(self) -> None:
        """Go on beside with learning what a process left unfinished."""
        rooms = self._floor.rooms
        self._floor.later(past.resume(rooms.service.listening, rooms.workspaces, rooms.settings.name))

    async def drain(self, seconds: float) -> None:
        """Answer what came, so many seconds at most; what comes now is written down for the next process."""
        self._messages.ending = True
        await self._floor.drain(seconds)


async def _on_nothing(event: dict[str, object]) -> None:
    """Hear what needs no answer."""
