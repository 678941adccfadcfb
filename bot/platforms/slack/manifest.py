"""The app's manifest: what Slack is to be told about the app, made from the tables that the code goes by.

Its form and limits: https://docs.slack.dev/reference/app-manifest and github.com/slackapi/manifest-schema.
"""

from dataclasses import dataclass
from typing import Any

from bot.commands import table
from bot.commands.base import At, Command
from bot.errors import SettingsError
from bot.platforms.slack import uses
from bot.platforms.slack.slashes import SHORTCUTS, slash, usage

EVENTS, INSTALL, REDIRECT = "/slack/events", "/slack/install", "/slack/oauth_redirect"

LONGEST_NAME = 35  # characters; limits are Slack's
SUMMARY = "Answers questions in channels, threads and direct messages, and remembers what was said."
AGENT = "I answer questions and remember what we talked about. Ask me anything; `/memory` shows what I remember of you."
DESCRIPTION = (
    "{name} answers when it is mentioned, in direct messages, and in the threads that it is in. It remembers what is "
    "said to it and what it answers, and recalls it when it matters: what was said in public channels everywhere in "
    "the workspace, what was said in a private channel or a direct message there and nowhere else.\n\n"
    "Everybody can see, search, export and delete what is remembered of them, and pause being remembered, in the app's "
    "Home tab or with `/memory`. Messages that are not for the app are read as context for an answer and not "
    "remembered, unless who manages the workspace switches that on for a channel, which is announced there.\n\n"
    "Answers are made by a language model and may be wrong: check what matters."
)
PROMPTS = (
    ("What can you do?", "What can you help me with?"),
    ("What do you remember?", "What do you remember about me?"),
    ("Catch me up", "What was talked about here lately?"),
    ("Help me write", "Help me write a short update for my team."),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What differs between apps.

    url: where Slack's requests are taken, without a slash at its end; None: Socket Mode. prefix: what stands before
    each slash command. alone: there is one workspace, and its token is a setting, as always in Socket Mode.
    assistant: the app is from before the agent view, and is to stay so.
    """

    name: str = "Lorebot"
    url: str | None = None
    prefix: str = ""
    alone: bool = False
    assistant: bool = False

    @property
    def many(self) -> bool:
        """Whether many workspaces install the app."""
        return self.url is not None and not self.alone


def made(shape: Shape) -> dict[str, Any]:
    """Return the manifest, as JSON holds it. Raises SettingsError where the name is longer than Slack allows."""
    if len(shape.name) > LONGEST_NAME:
        raise SettingsError(
            f"LOREBOT_NAME has {len(shape.name)} characters, and Slack takes {LONGEST_NAME}; shorten it"
        )
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": shape.name,
            "description": SUMMARY,
            "long_description": DESCRIPTION.format(name=shape.name),
        },
        "features": _features(shape),
        "oauth_config": _oauth(shape),
        "settings": _settings(shape),
    }


def _features(shape: Shape) -> dict[str, Any]:
    prompts = [{"title": title, "message": message} for title, message in PROMPTS]
    kind = "assistant" if shape.assistant else "agent"
    return {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": shape.name, "always_online": True},
        f"{kind}_view": {f"{kind}_description": AGENT, "suggested_prompts": prompts},
        "shortcuts": [
            {"type": "message", "name": one.name, "callback_id": one.id, "description": one.summary}
            for one in SHORTCUTS
        ],
        "slash_commands": [_slash(shape, one) for one in table.offered(At.CHAT)],
    }


def _slash(shape: Shape, command: Command) -> dict[str, Any]:
    # Escaped, so that people and channels that are named arrive as they do in messages.
    told = {
        "command": slash(command, shape.prefix),
        "description": command.summary[0].upper() + command.summary[1:],
        "should_escape": True,
        **_at(shape, "url", EVENTS),
    }
    return told | ({"usage_hint": usage(command)} if usage(command) else {})


def _oauth(shape: Shape) -> dict[str, Any]:
    redirect = {"redirect_urls": [f"{shape.url}{REDIRECT}"]} if shape.many else {}
    return redirect | {"scopes": {"bot": list(uses.scopes())}}


def _settings(shape: Shape) -> dict[str, Any]:
    return {
        "event_subscriptions": {
            **_at(shape, "request_url", EVENTS),
            "bot_events": list(uses.subscribed(shape.assistant)),
        },
        "interactivity": {"is_enabled": True, **_at(shape, "request_url", EVENTS)},
        "org_deploy_enabled": shape.many,
        "socket_mode_enabled": shape.url is None,
        "token_rotation_enabled": shape.many,  # a token that is a setting would be worth nothing after twelve hours
    }


def _at(shape: Shape, name: str, path: str) -> dict[str, str]:
    """Return an address where the app has one: in Socket Mode there is none."""
    return {} if shape.url is None else {name: f"{shape.url}{path}"}
