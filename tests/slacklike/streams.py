"""Streamed messages: started, appended to, stopped; they expire, and people may stop them."""

import time
from typing import Any

from tests.slacklike.forms import check_blocks, check_markdown, check_metadata
from tests.slacklike.records import Channel, Json, Kind, Message, Person, Stream
from tests.slacklike.refusals import Refused, bad_arguments
from tests.slacklike.rules import Rules
from tests.slacklike.talk import Draft, Talk
from tests.slacklike.web_api import Call
from tests.slacklike.world import World

STATUSES = ("active", "processing", "suspended", "closed")


class Streams:
    """Handlers for chat.startStream and its like, and the Stop button.

    Not documented, but told by who has measured it: what is being streamed can be neither updated nor deleted
    (`streaming_state_conflict`, `cant_delete_message`), and conversations.replies gives its `streaming_state`.
    """

    def __init__(self, world: World, talk: Talk) -> None:
        self.world, self.talk = world, talk

    def start(self, call: Call) -> Json:
        args = call.args
        channel = self.world.member_in(call.install, args.get("channel"))
        if channel.archived:
            raise Refused("is_archived")
        thread_ts = self._thread(channel, str(args.get("thread_ts") or ""))
        if channel.kind != Kind.IM:
            for name in ("recipient_user_id", "recipient_team_id"):
                if not args.get(name):
                    raise Refused(f"missing_{name}")
            if args["recipient_user_id"] not in channel.members:
                raise Refused("user_not_found")
        text, others = self._pieces(args)
        stream = Stream("chunks" if "chunks" in args else "markdown_text", time.monotonic())
        stream.recipient, stream.tasks = str(args.get("recipient_user_id") or ""), others
        if "chunks" not in args and not text:
            stream.by = ""  # decided by the first piece
        draft = Draft(text, thread_ts, by_app=True, stream=stream)
        message = self.talk.post(channel, call.install.bot, draft)
        self.cleared(channel, thread_ts)
        return {"channel": channel.id, "ts": message.ts}

    def append(self, call: Call) -> Json:
        channel, message, stream = self._open(call, ends=False)
        if "markdown_text" not in call.args and "chunks" not in call.args:
            raise bad_arguments("missing required field: markdown_text")
        self._add(message, stream, call.args)
        self.talk.noted(message)
        return {"channel": channel.id, "ts": message.ts}

    def stop(self, call: Call) -> Json:
        """End a stream, with last pieces, blocks at its bottom, and the status that the session takes."""
        args = call.args
        channel, message, stream = self._open(call, ends=True)
        check_blocks(args.get("blocks") or [], self.world.rules)
        check_metadata(args.get("metadata"))
        before = self.world.shown(message)
        self._add(message, stream, args)
        message.blocks = [*message.blocks, *(args.get("blocks") or [])]
        message.metadata = args.get("metadata", message.metadata)
        if stream.state == "streaming":
            stream.state = "completed"
        self.talk.noted(message)
        self.talk.changed(message, before)
        session = self.world.sessions.get((channel.id, message.thread_ts))
        status = args.get("session_status") or ("active" if session and session.status in STATUSES else "")
        if status:
            if status not in STATUSES:
                raise bad_arguments("invalid session_status")
            self.world.session(channel, message.thread_ts).become(str(status))
        return {"channel": channel.id, "ts": message.ts, "message": self.world.shown(message)}

    def halt(self, channel: Channel, thread_ts: str, person: Person) -> list[str]:
        """Let a person press Stop: streams take nothing more, and the app is told.

        The session's status stays until the app changes it. Raises LookupError when nothing shows the button.
        """
        session = self.world.sessions.get((channel.id, thread_ts))
        if session is None or session.status != "processing":
            raise LookupError("there is no Stop button where nothing is being processed")
        stopped = [message for message in channel.replies(thread_ts) if message.streaming]
        for message in stopped:
            settle(message, self.world.rules)
            if message.stream is not None and message.streaming:
                message.stream.state = "stopped_by_user"
        event: Json = {"type": "agent_session_stopped", "channel": channel.id, "thread_ts": thread_ts}
        event |= {"user": person.id, "streaming_message_ts": [message.ts for message in stopped]}
        self.world.tell(event | {"event_ts": self.world.ids.ts()}, "agent_session_stopped", channel)
        return list(event["streaming_message_ts"])

    def cleared(self, channel: Channel, thread_ts: str) -> None:
        """Clear the legacy status of a thread, as a message of the app's there does."""
        session = self.world.sessions.get((channel.id, thread_ts))
        if session is not None and session.status and session.status not in STATUSES:
            session.become("")

    def _open(self, call: Call, *, ends: bool) -> tuple[Channel, Message, Stream]:
        """Return a stream that takes more; one that a person stopped takes only a bare stop."""
        channel = self.world.find(call.install, call.args.get("channel"))
        message = self.world.find_message(channel, call.args.get("ts"))
        if message.author is not call.install.bot:
            raise Refused("message_not_owned_by_app")
        settle(message, self.world.rules)
        stream = message.stream
        if stream is None:
            raise Refused("message_not_in_streaming_state")
        bare = ends and not any(call.args.get(name) for name in ("markdown_text", "chunks", "blocks"))
        if stream.state == "stopped_by_user" and not bare:
            raise Refused("stopped_by_user")
        if stream.state not in ("streaming", "stopped_by_user"):
            raise Refused("message_not_in_streaming_state")
        return channel, message, stream

    def _add(self, message: Message, stream: Stream, args: Json) -> None:
        text, others = self._pieces(args)
        by = "chunks" if args.get("chunks") else "markdown_text" if args.get("markdown_text") else ""
        if by and stream.by and by != stream.by:
            raise Refused("streaming_mode_mismatch")
        stream.by = stream.by or by
        message.text += text
        stream.tasks += others

    def _pieces(self, args: Json) -> tuple[str, list[Json]]:
        """Return the text of a call and its other chunks."""
        text, chunks = args.get("markdown_text"), args.get("chunks")
        if text and chunks:
            raise bad_arguments("markdown_text and chunks cannot be used together")
        if chunks is not None and not isinstance(chunks, list):
            raise Refused("invalid_chunks")
        said = [str(text or "")] + [_text(chunk) for chunk in chunks or [] if chunk.get("type") == "markdown_text"]
        for one in said:
            check_markdown(one, self.world.rules)
        return "".join(said), [chunk for chunk in chunks or [] if chunk.get("type") != "markdown_text"]

    def _thread(self, channel: Channel, thread_ts: str) -> str:
        if not thread_ts:
            if self.world.rules.thread_required or channel.kind == Kind.IM:
                raise bad_arguments("missing required field: thread_ts")
            return ""
        parent = self.world.find_thread(channel, thread_ts)
        return parent.thread_ts or parent.ts


def settle(message: Message, rules: Rules) -> None:
    """Let a stream expire whose time is over: it ends however active it is."""
    stream = message.stream
    if stream is not None and message.streaming and time.monotonic() - stream.started > rules.stream_life:
        stream.state = "expired"


def _text(chunk: Any) -> str:
    if not isinstance(chunk.get("text"), str):
        raise Refused("invalid_chunks")
    return str(chunk["text"])
