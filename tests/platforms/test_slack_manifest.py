"""The manifest says what the code does, within the limits that Slack documents."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncApp

from bot.cli import group
from bot.commands import table
from bot.commands.base import At
from bot.errors import SettingsError
from bot.platforms.slack import manifest, slashes, uses
from bot.platforms.slack.app import HEARD_ONLY
from bot.platforms.slack.comings import Comings
from bot.platforms.slack.manifest import Shape
from bot.platforms.slack.messages import Messages
from bot.platforms.slack.views import Views

DOCS = Path(__file__).parent.parent.parent / "docs" / "slack.md"
HTTP = "https://bot.example.com"
SHAPES = [
    Shape(),
    Shape("M" * 35, HTTP, "acme-"),
    Shape(url=HTTP, alone=True),
    Shape(assistant=True),
    Shape(url=HTTP, assistant=True),
]

# Shortest and longest: docs.slack.dev/reference/app-manifest, and github.com/slackapi/manifest-schema, version 2.
LENGTHS = {
    "display_information.name": (1, 35),
    "display_information.description": (1, 140),
    "display_information.long_description": (175, 4000),
    "features.bot_user.display_name": (1, 80),
    "features.agent_view.agent_description": (1, 300),
    "features.agent_view.suggested_prompts": (1, 4),
    "features.assistant_view.assistant_description": (1, 300),
    "features.assistant_view.suggested_prompts": (1, 4),
    "features.shortcuts": (1, 10),
    "features.shortcuts[].name": (1, 24),
    "features.shortcuts[].callback_id": (1, 255),
    "features.shortcuts[].description": (1, 150),
    "features.slash_commands": (1, 50),
    "features.slash_commands[].command": (2, 32),
    "features.slash_commands[].description": (1, 2000),
    "features.slash_commands[].usage_hint": (1, 1000),
    "features.slash_commands[].url": (1, 3000),
    "oauth_config.redirect_urls": (1, 1000),
    "oauth_config.redirect_urls[]": (1, 2500),
    "oauth_config.scopes.bot": (1, 255),
    "oauth_config.scopes.bot[]": (1, 50),
    "settings.event_subscriptions.bot_events": (1, 100),
    "settings.event_subscriptions.bot_events[]": (1, 50),
    "settings.event_subscriptions.request_url": (1, 3500),
    "settings.interactivity.request_url": (1, 3500),
}
# What has no length: numbers, switches, and texts that are one of a few or have no limit.
OTHERS = {
    "_metadata.major_version",
    "_metadata.minor_version",
    "features.agent_view.suggested_prompts[].message",
    "features.agent_view.suggested_prompts[].title",
    "features.app_home.home_tab_enabled",
    "features.app_home.messages_tab_enabled",
    "features.app_home.messages_tab_read_only_enabled",
    "features.assistant_view.suggested_prompts[].message",
    "features.assistant_view.suggested_prompts[].title",
    "features.bot_user.always_online",
    "features.shortcuts[].type",
    "features.slash_commands[].should_escape",
    "settings.interactivity.is_enabled",
    "settings.org_deploy_enabled",
    "settings.socket_mode_enabled",
    "settings.token_rotation_enabled",
}


def parts(value, path=""):
    """Yield every list and leaf, with its place."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from parts(inside, f"{path}.{name}".lstrip("."))
        return
    if isinstance(value, list):
        yield path, value
        for inside in value:
            yield from parts(inside, f"{path}[]")
        return
    yield path, value


def run(*arguments: str, **environment: str):
    return CliRunner().invoke(group, ["slack-manifest", *arguments], env=environment)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_keeps_within_slacks_limits(shape):
    for path, value in parts(manifest.made(shape)):
        assert path in LENGTHS or path in OTHERS
        if path in LENGTHS:
            shortest, longest = LENGTHS[path]
            assert shortest <= len(value) <= longest, path
        if isinstance(value, list) and value and isinstance(value[0], str):
            assert len(set(value)) == len(value)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_offers_the_commands_of_the_shared_table(shape):
    offered = {one["command"]: one for one in manifest.made(shape)["features"]["slash_commands"]}
    assert len(offered) == len(table.offered(At.CHAT))
    for one in table.offered(At.CHAT):
        told = offered[slashes.slash(one, shape.prefix)]
        assert slashes.meant(told["command"]) is one
        assert told["description"].lower() == one.summary.lower()
        assert re.fullmatch(r"/[a-z0-9_-]+", told["command"])


def test_no_command_takes_the_name_of_slacks_own():
    names = {slashes.slash(one).removeprefix("/") for one in table.offered(At.CHAT)}
    assert names & slashes.SLACKS_OWN == set()
    assert {"ask", "memory", "lorebot-status"} <= names


def test_of_verbs_that_only_a_terminal_has_nothing_is_said():
    memory = next(one for one in table.offered(At.CHAT) if one.name == "memory")
    assert slashes.usage(memory).split(" | ") == [verb.name for verb in memory.verbs if At.CHAT in verb.at]
    assert "import" not in slashes.usage(memory)


@pytest.mark.parametrize("typed", ["/quit", "/user", "/nothing", "/", "", "/asking", "/unask"])
def test_other_slash_commands_mean_nothing(typed):
    assert slashes.meant(typed) is None


def test_it_subscribes_to_what_the_app_listens_to_and_asks_for_the_scopes_that_takes():
    made = manifest.made(Shape())
    assert tuple(made["oauth_config"]["scopes"]["bot"]) == uses.scopes()
    assert set(made["settings"]["event_subscriptions"]["bot_events"]) == uses.events() - uses.ASSISTANT_VIEW
    listed = [event for use in uses.USES for event in use.events]
    assert len(listed) == len(set(listed))
    assert len(uses.scopes()) == len(set(uses.scopes()))


def test_an_app_has_one_of_the_two_views():
    new, old = manifest.made(Shape()), manifest.made(Shape(assistant=True))
    assert "agent_view" in new["features"]
    assert "assistant_view" not in new["features"]
    assert "assistant_view" in old["features"]
    assert "agent_view" not in old["features"]
    subscribed = set(old["settings"]["event_subscriptions"]["bot_events"])
    assert subscribed == uses.events() - uses.AGENT_VIEW
    assert subscribed >= {"assistant_thread_started", "assistant_thread_context_changed"}


def test_in_socket_mode_there_is_no_address_and_no_token_that_expires():
    made = manifest.made(Shape())
    assert "https://" not in json.dumps(made)
    switches = made["settings"]
    assert (switches["socket_mode_enabled"], switches["token_rotation_enabled"]) == (True, False)


def test_over_http_every_request_has_an_address():
    made = manifest.made(Shape(url=HTTP))
    events = f"{HTTP}/slack/events"
    assert {one["url"] for one in made["features"]["slash_commands"]} == {events}
    assert made["settings"]["event_subscriptions"]["request_url"] == events
    assert made["settings"]["interactivity"]["request_url"] == events
    assert made["oauth_config"]["redirect_urls"] == [f"{HTTP}/slack/oauth_redirect"]
    assert (made["settings"]["socket_mode_enabled"], made["settings"]["token_rotation_enabled"]) == (False, True)


def test_an_app_for_one_workspace_keeps_its_token():
    made = manifest.made(Shape(url=HTTP, alone=True))
    assert "redirect_urls" not in made["oauth_config"]
    assert (made["settings"]["token_rotation_enabled"], made["settings"]["org_deploy_enabled"]) == (False, False)
    assert made["settings"]["socket_mode_enabled"] is False
    assert made["settings"]["event_subscriptions"]["request_url"] == f"{HTTP}/slack/events"


async def test_the_manifest_names_every_event_that_is_heard():
    heard = set(HEARD_ONLY)

    class Bolt(AsyncApp):
        def event(self, event, *rest):
            heard.add(event)
            return super().event(event, *rest)

    for part in (Messages, Comings, Views):  # which register, and no more
        object.__new__(part).register(Bolt(token="xoxb-1", signing_secret="x"))
    assert heard == {"message" if one.startswith("message.") else one for one in uses.events()}


@given(st.sampled_from(table.offered(At.CHAT)), st.from_regex(r"\A[a-z0-9_-]{1,20}-\Z"))
def test_a_command_is_meant_whatever_stands_before_it(command, prefix):
    assert slashes.meant(slashes.slash(command, prefix)) is command


def test_a_name_that_slack_does_not_take_is_told():
    with pytest.raises(SettingsError, match="LOREBOT_NAME has 36 characters"):
        manifest.made(Shape("M" * 36))


# The command


def test_it_is_printed_as_json_or_yaml():
    ran = run("--http", f"{HTTP}/", LOREBOT_NAME="Mnemo")
    assert (ran.exit_code, json.loads(ran.output)) == (0, manifest.made(Shape("Mnemo", HTTP)))
    ran = run("--yaml", "--prefix", "acme-", "--assistant", LOREBOT_NAME="Mnemo")
    assert yaml.safe_load(ran.output) == manifest.made(Shape("Mnemo", prefix="acme-", assistant=True))
    ran = run("--http", HTTP, "--alone", LOREBOT_NAME="Mnemo")
    assert json.loads(ran.output) == manifest.made(Shape("Mnemo", HTTP, alone=True))


def test_only_an_app_with_an_address_can_be_alone_there():
    ran = run("--alone")
    assert ran.exit_code == 2
    assert "--http" in ran.output


@pytest.mark.parametrize(
    "url", ["http://bot.example.com", "bot.example.com", "https://", "https://a/?b=c", "https://["]
)
def test_an_address_that_slack_cannot_reach_is_refused(url):
    ran = run("--http", url)
    assert ran.exit_code == 2
    assert "https://bot.example.com" in ran.output


@pytest.mark.parametrize("prefix", ["acme", "Acme-", "a b-", f"{'a' * 30}-"])
def test_a_prefix_that_no_command_can_have_is_refused(prefix):
    ran = run("--prefix", prefix)
    assert ran.exit_code == 2
    assert "acme-" in ran.output


# The page


def rows(heading: str) -> list[tuple[str, ...]]:
    section = DOCS.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def test_the_page_explains_every_scope_and_event_and_no_other():
    wanted = [
        (f"`{use.scope}`" if use.scope else "(none)", use.why, ", ".join(f"`{event}`" for event in use.events))
        for use in uses.USES
    ]
    assert rows("Scopes and events") == wanted


def test_the_page_names_every_setting_of_slacks():
    from bot.settings import Settings, variable

    page = DOCS.read_text()
    wanted = {variable(field) for field in Settings.model_fields if field.startswith("slack_")} - {"SLACK_API_URL"}
    assert {name for name in wanted if name not in page} == set()


@given(st.sampled_from(table.offered(At.CHAT)), st.from_regex(r"([a-z0-9_-]{1,20}-)?", fullmatch=True))
def test_one_slash_command_tells_what_all_others_are_called(command, prefix):
    told = slashes.prefix(slashes.slash(command, prefix))
    if prefix == slashes.OURS and command.name in slashes.SLACKS_OWN:
        assert told == "", "that is what it is called without a prefix, too"
        return
    assert told == prefix
    called = slashes.called(told)
    assert [called(one.name) for one in table.offered(At.CHAT)] == [
        slashes.slash(one, prefix) for one in table.offered(At.CHAT)
    ]
