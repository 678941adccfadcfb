"""What becomes of an interaction: the app's answer at once, and what it posts to the response_url."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.slacklike.deliveries import Delivery
from tests.slacklike.forms import check_message, check_view
from tests.slacklike.records import Channel, Json, Message, Person, View
from tests.slacklike.refusals import Refused
from tests.slacklike.talk import Draft, Talk
from tests.slacklike.views import Views
from tests.slacklike.world import World


@dataclass(eq=False)
class Interaction:
    """Something that a person began; `made_at` is of time.monotonic."""

    delivery: Delivery
    person: Person
    channel: Channel | None
    source: Message | View | None
    made_at: float
    token: str = ""  # of its response_url
    thread_ts: str = ""
    said: list[Message] = field(default_factory=list)  # what came back, by the answer or by response_url
    uses: int = 0
    refused: str = ""  # what Slack would not show of the answer

    @property
    def answered(self) -> bool:
        return self.delivery.acked.is_set()

    @property
    def failed(self) -> bool:
        """Whether the person reads that the app did not respond."""
        return self.delivery.over.is_set() and not self.answered


class Answers:
    """Shows people what the app answers."""

    def __init__(self, world: World, talk: Talk, views: Views) -> None:
        self.world, self.talk, self.views = world, talk, views
        self.all: dict[str, Interaction] = {}  # by token
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def to_command(self, interaction: Interaction) -> None:
        """Show in the background what a command is answered with at once."""
        self._later(self._answered(interaction))

    def to_submission(self, interaction: Interaction, view: View) -> None:
        """Close a modal in the background, or do what its submission is answered with."""
        self._later(self._submitted(interaction, view))

    def respond(self, token: str, body: Json) -> None:
        """Do what is posted to a response_url; raises Refused."""
        interaction = self.all.get(token)
        if interaction is None:
            raise Refused("invalid_url")
        if time.monotonic() - interaction.made_at > self.world.rules.response_life:
            raise Refused("expired_url")
        if interaction.uses >= self.world.rules.response_uses:
            raise Refused("used_url")
        interaction.uses += 1
        self._say(interaction, body)

    async def _answered(self, interaction: Interaction) -> None:
        """Show what the app answered a command with at once."""
        await interaction.delivery.over.wait()
        answer = interaction.delivery.answer
        if answer and (answer.get("text") or answer.get("blocks")):
            self._shown_or_refused(interaction, lambda: self._say(interaction, answer))

    async def _submitted(self, interaction: Interaction, view: View) -> None:
        """Close the modal, or do what the app answered."""
        await interaction.delivery.over.wait()
        if not interaction.answered:
            return
        self._shown_or_refused(interaction, lambda: self._follow(interaction, view))

    def _follow(self, interaction: Interaction, view: View) -> None:
        """Do with a modal what its submission was answered with; it closes when that says nothing."""
        answer = interaction.delivery.answer or {}
        action = answer.get("response_action")
        if action in ("update", "push"):
            check_view(answer.get("view"), self.world.rules, kind="modal")
        if action == "errors":
            view.errors = answer["errors"]
        elif action == "update":
            self.views.change(view, answer["view"])
        elif action == "push":
            self.views.open(interaction.person, answer["view"], over=view)
        elif action == "clear":
            self.views.clear(interaction.person)
        else:
            self.views.pop(view)

    @staticmethod
    def _shown_or_refused(interaction: Interaction, show: Callable[[], None]) -> None:
        try:
            show()
        except Refused as refused:
            interaction.refused = refused.error

    def _say(self, interaction: Interaction, body: Json) -> None:
        """Post, replace or delete as a response says: to the person alone unless it says in_channel."""
        source = interaction.source if isinstance(interaction.source, Message) else None
        if body.get("delete_original") and source is not None:
            self.talk.delete(source)
            return
        check_message(body, self.world.rules, text_limit=self.world.rules.text_characters)
        if body.get("replace_original") and source is not None:
            before = self.world.shown(source)
            source.text, source.blocks = body.get("text") or "", body.get("blocks") or []
            self.talk.noted(source)
            self.talk.changed(source, before)
            return
        if interaction.channel is None:
            raise Refused("invalid_url")
        public = body.get("response_type") == "in_channel"
        draft = Draft(body.get("text") or "", body.get("thread_ts") or "", by_app=True)
        draft.blocks, draft.attachments = body.get("blocks") or [], body.get("attachments") or []
        draft.seen_by = None if public else interaction.person
        bot = self.world.bot_of(interaction.person.team)
        interaction.said.append(self.talk.post(interaction.channel, bot, draft))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
