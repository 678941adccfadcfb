"""agents.sessions.* and the older assistant.threads.*: what shows that the app is at work in a thread."""

from tests.slacklike.records import Channel, Json, Session
from tests.slacklike.refusals import Refused, bad_arguments
from tests.slacklike.streams import STATUSES
from tests.slacklike.web_api import Call, Method
from tests.slacklike.world import World

TITLE, PROMPTS = 200, 4


class AgentMethods:
    """Handlers for sessions, statuses, titles and suggested prompts."""

    def __init__(self, world: World) -> None:
        self.world = world

    def methods(self) -> dict[str, Method]:
        return {
            "agents.sessions.setStatus": Method(self.set_status, "chat:write"),
            "agents.sessions.rename": Method(self.rename, "chat:write"),
            "assistant.threads.setStatus": Method(self.legacy_status, "chat:write"),
            "assistant.threads.setTitle": Method(self.legacy_title, "assistant:write"),
            "assistant.threads.setSuggestedPrompts": Method(self.suggest, "assistant:write"),
        }

    def set_status(self, call: Call) -> Json:
        """Set a session's status; the first time makes it, with a title and who began it."""
        self._need_agent()
        status = call.args.get("status")
        if status not in STATUSES:
            raise bad_arguments("status must be one of active, processing, suspended, closed")
        channel = self._channel(call)
        session = self._session(call, channel)
        new = not session.history
        title = str(call.args.get("title") or "")
        if len(title) > TITLE:
            raise bad_arguments(f"title must be less than {TITLE + 1} characters")
        if new:
            session.title, session.initiator = title, str(call.args.get("initiator_user_id") or "")
            if session.initiator and session.initiator not in channel.members:
                raise Refused("user_not_in_channel")
        session.become(str(status))
        subscribed = self.world.rules.events
        if subscribed is not None and "agent_session_stopped" not in subscribed:
            call.warnings.append("missing_agent_session_stopped_event_subscription")
        return {"status": session.status, "title": session.title}

    def rename(self, call: Call) -> Json:
        self._need_agent()
        title = str(call.args.get("title") or "")
        if not 0 < len(title) <= TITLE:
            raise bad_arguments(f"title must be 1 to {TITLE} characters")
        session = self._session(call, self._channel(call))
        if not session.history:
            raise Refused("session_not_found")
        session.title = title
        return {"title": title}

    def legacy_status(self, call: Call) -> None:
        session = self._session(call, self._channel(call))
        session.become(str(call.args.get("status") or ""))

    def legacy_title(self, call: Call) -> None:
        self._session(call, self._channel(call)).title = str(call.args.get("title") or "")

    def suggest(self, call: Call) -> None:
        """Show prompts: in a thread, or above an agent's conversation when no thread is named."""
        prompts = call.args.get("prompts") or []
        if not isinstance(prompts, list) or not 0 < len(prompts) <= PROMPTS:
            raise bad_arguments(f"must provide 1 to {PROMPTS} prompts")
        if any(not prompt.get("title") or not prompt.get("message") for prompt in prompts):
            raise bad_arguments("a prompt has a title and a message")
        channel = self._channel(call)
        thread_ts = str(call.args.get("thread_ts") or "")
        session = self.world.session(channel, thread_ts) if not thread_ts else self._session(call, channel)
        session.prompts, session.prompts_title = prompts, str(call.args.get("title") or "")

    def _need_agent(self) -> None:
        """Refuse an app that is no agent."""
        if not self.world.rules.agent:
            raise Refused("feature_disabled")

    def _channel(self, call: Call) -> Channel:
        return self.world.member_in(call.install, call.args.get("channel_id"))

    def _session(self, call: Call, channel: Channel) -> Session:
        thread_ts = str(call.args.get("thread_ts") or "")
        if not thread_ts:
            raise bad_arguments("missing required field: thread_ts")
        self.world.find_thread(channel, thread_ts)
        return self.world.session(channel, thread_ts)
