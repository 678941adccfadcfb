"""The agent view, the older assistant view and the App Home, as people open them and look around beside them."""

from slack_bolt.async_app import AsyncApp

from bot.conversation import Conversation
from bot.platforms.slack.floor import Floor, Json
from bot.platforms.slack.manifest import PROMPTS
from bot.platforms.slack.workspaces import Workspace

CHANNEL = "slack#/types/channel_id"  # what somebody may look at


class Views:
    """Offers what may be asked, knows what people look at, and stops where Slack's own button says so."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._screens = floor.screens

    def register(self, bolt: AsyncApp) -> None:
        """Let bolt call us."""
        bolt.event("app_home_opened")(self._on_home)
        bolt.event("agent_session_stopped")(self._on_stop)
        bolt.event("app_context_changed")(self._on_context)
        bolt.event("assistant_thread_started")(self._on_thread)
        bolt.event("assistant_thread_context_changed")(self._on_thread_context)

    async def _on_home(self, event: Json, context: Json) -> None:
        """Show one's memory, or offer what may be asked."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        if event.get("tab") == "home":
            self._floor.later(self._floor.home.show(workspace, str(event["user"])))
        else:
            self._screens.look_at(workspace.team, str(event["user"]), _looked_at(event))
            self._floor.later(_suggest(workspace, str(event["channel"]), None))

    async def _on_context(self, event: Json, body: Json, context: Json) -> None:
        """Take in what somebody looks at beside the agent."""
        workspace = await self._floor.workspace(context)
        people = [one.get("user_id") for one in body.get("authorizations") or () if not one.get("is_bot")]
        person = event.get("user") or next(iter(people), None)
        if workspace is not None and person:
            self._screens.look_at(workspace.team, str(person), _looked_at(event))

    async def _on_thread(self, event: Json, context: Json) -> None:
        """Offer what may be asked, in the older assistant view."""
        workspace = await self._floor.workspace(context)
        if workspace is not None:
            thread = event["assistant_thread"]
            await self._on_thread_context(event, context)
            self._floor.later(_suggest(workspace, thread["channel_id"], thread["thread_ts"]))

    async def _on_thread_context(self, event: Json, context: Json) -> None:
        """Take in what somebody looks at beside the older assistant."""
        workspace = await self._floor.workspace(context)
        thread = event["assistant_thread"]
        if workspace is not None and thread.get("user_id"):
            looked = (thread.get("context") or {}).get("channel_id")
            self._screens.look_at(workspace.team, str(thread["user_id"]), looked)

    async def _on_stop(self, event: Json, context: Json) -> None:
        """Stop the answer in a session; nothing more is written to what Slack has stopped."""
        workspace = await self._floor.workspace(context)
        if workspace is None:
            return
        for talk, _, one in self._floor.talks.answering(workspace.team, str(event["channel"]), event.get("thread_ts")):
            self._floor.later(talk.quiet(one) if event.get("streaming_message_ts") else _stopped(talk, one))


async def _suggest(workspace: Workspace, channel: str, thread: str | None) -> None:
    """Offer what may be asked; Slack takes four at most."""
    prompts = [{"title": title, "message": message} for title, message in PROMPTS]
    if thread is None:
        await workspace.client.api_call(
            "assistant.threads.setSuggestedPrompts", json={"channel_id": channel, "prompts": prompts}
        )
    else:
        await workspace.client.assistant_threads_setSuggestedPrompts(
            channel_id=channel, thread_ts=thread, prompts=prompts
        )


async def _stopped(talk: Conversation, message: str | None) -> None:
    """Stop an answer that was posted, or has not begun; it is marked as stopped."""
    await talk.stop_answering(message)


def _looked_at(event: Json) -> str | None:
    """Return the channel that somebody looks at, if it is one."""
    entities = (event.get("context") or {}).get("entities") or ()
    return next((str(one["value"]) for one in entities if one.get("type") == CHANNEL and one.get("value")), None)
