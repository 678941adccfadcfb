"""What the app asks of Slack: scopes, and the events that come with them, each with its reason.

The manifest, the OAuth flow and the table in docs/slack.md all come from USES; what the app listens to is held against
it by a test.
"""

from dataclasses import dataclass

NO_SCOPE = ""

# Of these two ways to show an agent in Slack, an app has one; new apps have the first.
AGENT_VIEW = frozenset({"app_context_changed", "agent_session_stopped"})
ASSISTANT_VIEW = frozenset({"assistant_thread_started", "assistant_thread_context_changed"})


@dataclass(frozen=True, slots=True)
class Use:
    """A scope, "" for none. why: what the bot does with it. events: those that Slack sends to whoever has it."""

    scope: str
    why: str
    events: tuple[str, ...] = ()


# Not here: chat:write.public (it answers where it was invited), channels:join, im:write (people open their direct
# messages themselves), users:read.email, reactions, pins, and the events user_change and team_join: Slack sends one for
# every change of anybody's status, and whether somebody is a guest is asked for where it matters.
#
# That a channel was made private or public, Slack tells by messages in it, which come with message.channels and
# message.groups: the subtypes channel_convert_to_private and channel_convert_to_public.
USES = (
    Use("app_mentions:read", "hear what mentions it", ("app_mention",)),
    Use(
        "channels:history",
        "hear what is said to it in public channels that it was invited to, and see what was said before",
        ("message.channels",),
    ),
    Use("groups:history", "the same in private channels", ("message.groups",)),
    Use("im:history", "answer direct messages", ("message.im",)),
    Use("mpim:history", "answer in group direct messages", ("message.mpim",)),
    Use(
        "channels:read",
        "know who can read a public channel, and notice when that changes",
        (
            "member_joined_channel",
            "member_left_channel",
            "channel_left",
            "channel_archive",
            "channel_unarchive",
            "channel_deleted",
            "channel_id_changed",
            "channel_shared",
            "channel_unshared",
        ),
    ),
    Use(
        "groups:read",
        "the same for private channels",
        ("group_left", "group_archive", "group_unarchive", "group_deleted"),
    ),
    Use("im:read", "tell direct messages from others"),
    Use("mpim:read", "know who reads along in a group direct message"),
    Use(
        "users:read",
        "know people's names and time zones, who is a guest, and who manages the workspace",
    ),
    Use("chat:write", "answer, let the answer grow while it is made, and correct it"),
    Use(
        "assistant:write",
        "be an agent: suggest questions, show what it is doing, be stopped",
        (*sorted(AGENT_VIEW), *sorted(ASSISTANT_VIEW)),
    ),
    Use("commands", "offer slash commands, and entries in a message's menu"),
    Use("files:read", "read what is attached to a question"),
    Use("files:write", "put the rest of a very long answer into a file, and what somebody takes along"),
    Use(
        NO_SCOPE,
        "show what it remembers of you in its Home tab, and notice where it was installed or uninstalled",
        ("app_home_opened", "app_uninstalled", "tokens_revoked", "team_access_granted", "team_access_revoked"),
    ),
)


def scopes() -> tuple[str, ...]:
    """Return the scopes to ask for: those that are used, and no others."""
    return tuple(use.scope for use in USES if use.scope != NO_SCOPE)


def events() -> frozenset[str]:
    """Return the names of all events that the app listens to, whichever view it has.

    The four that begin with `message.` arrive as `message`.
    """
    return frozenset(event for use in USES for event in use.events)


def subscribed(assistant: bool = False) -> tuple[str, ...]:
    """Return the events that an app is subscribed to, by name. assistant: it has the assistant view."""
    return tuple(sorted(events() - (AGENT_VIEW if assistant else ASSISTANT_VIEW)))
