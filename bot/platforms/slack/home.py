"""The App Home: what is remembered of whoever opens it, and ways to end that."""

import json
from dataclasses import dataclass, replace
from typing import Any

from bot.commands.base import File
from bot.platforms.slack import blocks
from bot.platforms.slack.audience import place, scope
from bot.platforms.slack.blocks import Page, Row
from bot.platforms.slack.desk import link, send_file
from bot.platforms.slack.people import Channel
from bot.platforms.slack.refusals import told
from bot.platforms.slack.workspaces import Workspace
from memory.memory import Memory
from memory.records import Turn, Which
from memory.scope import Scope

SHOWN = 10  # turns of one page
SEARCHED = 2000  # turns among which words are looked for, the latest


@dataclass(frozen=True, slots=True)
class Look:
    """What somebody looks at: turns in which words stand, all but so many of the latest. Kept with the page."""

    search: str = ""
    skip: int = 0

    @classmethod
    def of(cls, view: dict[str, Any]) -> "Look":
        """Return what a page that Slack sends back shows."""
        try:
            search, skip = json.loads(view.get("private_metadata") or "")
        except ValueError:
            return cls()
        return cls(str(search), int(skip))

    def kept(self) -> str:
        """Return it as it is kept with a page."""
        return json.dumps([self.search, self.skip], ensure_ascii=False)

    def older(self) -> "Look":
        """Return the page of what is older."""
        return replace(self, skip=self.skip + SHOWN)

    def newer(self) -> "Look":
        """Return the page of what is newer."""
        return replace(self, skip=max(0, self.skip - SHOWN))


class Home:
    """Everybody's page in one or more workspaces."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def show(self, workspace: Workspace, person: str, look: Look = Look()) -> None:
        """Show somebody what is remembered of them. Raises DeliveryError, RedisError."""
        here = _here(workspace, person)
        paused = await self._memory.paused(here)
        found = await self._memory.find(here, Which(person=person))
        places = sorted(found, key=lambda one: (one.sent_at, one.place), reverse=True)
        if look.search:
            wanted = look.search.casefold()
            turns = await self._memory.read(here, places[:SEARCHED])
            turns = [turn for turn in turns if wanted in turn.text.casefold()]
            count = len(turns)
        else:
            turns, count = [], len(places)
        if look.skip >= count:  # what stood there is forgotten
            look = replace(look, skip=max(0, (count - 1) // SHOWN * SHOWN))
        end = look.skip + SHOWN
        shown = turns[look.skip : end] if look.search else await self._memory.read(here, places[look.skip : end])
        page = Page(len(places), count, look.skip, look.search, paused, tuple(_row(workspace, one) for one in shown))
        with told():
            view = blocks.page(page, look.kept(), more=count > end)
            await workspace.client.views_publish(user_id=person, view=view)

    async def forget(self, workspace: Workspace, person: str, named: str, look: Look) -> None:
        """Forget a turn of theirs, or an answer to them, and show what is left. named: as its row names it."""
        conversation, turn = json.loads(named)
        which = Which(turns=((conversation, turn),), person=person)
        await self._memory.forget(_here(workspace, person), which)
        await self.show(workspace, person, look)

    async def forget_all(self, workspace: Workspace, person: str) -> None:
        """Forget all that is remembered of somebody, and show that nothing is left."""
        await self._memory.forget(_here(workspace, person), Which(person=person))
        await self.show(workspace, person)

    async def wish(self, workspace: Workspace, person: str, look: Look, *, remembered: bool) -> None:
        """Remember somebody, or not any more."""
        await (self._memory.resume if remembered else self._memory.pause)(_here(workspace, person))
        await self.show(workspace, person, look)

    async def export(self, workspace: Workspace, person: str) -> None:
        """Send somebody what is remembered of them, as a file in their direct messages."""
        here = _here(workspace, person)
        lines = [one.line() async for one in self._memory.export(here, Which(person=person))]
        text = "".join(f"{line}\n" for line in lines)
        if text:
            await send_file(workspace, person, File("memory.jsonl", text), "This is what I remember of you.")
        else:
            with told():
                await workspace.sender.chat_postMessage(channel=person, text="Nothing is remembered of you.")


def _here(workspace: Workspace, person: str) -> Scope:
    """Return where somebody looks at their own memory: nobody else reads it."""
    return scope(workspace.team, Channel(f"home-{person}", "direct"), person)


def _row(workspace: Workspace, turn: Turn) -> Row:
    channel, _ = place(turn.conversation)
    where = "direct message" if channel.startswith("D") else f"<#{channel}>"
    named = json.dumps([turn.conversation, turn.id])
    return Row(named, turn.author, turn.text, where, turn.sent_at // 1000, link(workspace, turn))
