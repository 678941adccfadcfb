"""The files that start Lorebot somewhere name commands that it has."""

import re
from pathlib import Path

import yaml
from click.testing import CliRunner

from bot.cli import group

ROOT = Path(__file__).parent.parent


def answers(words: list[str]) -> bool:
    """Tell whether there is such a command."""
    return CliRunner().invoke(group, [*words, "--help"]).exit_code == 0


def test_every_process_of_the_procfile_is_a_command():
    started = dict(re.findall(r"^(\w+): lorebot (.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE))
    assert {"repl", "discord", "slack"} <= set(started)
    assert {name for name, words in started.items() if not answers(words.split())} == set()


def test_every_service_that_is_built_here_starts_a_command_and_waits_for_redis():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    built = {name: service for name, service in services.items() if "build" in service}
    assert {"bot", "discord", "slack"} <= set(built)
    assert {name for name, service in built.items() if not answers(service.get("command", ["repl"]))} == set()
    assert {name for name, service in built.items() if "redis" not in service["depends_on"]} == set()


def test_the_page_about_discord_names_settings_that_there_are():
    page = (ROOT / "docs" / "discord.md").read_text()
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"LOREBOT_[A-Z_]+|LOG_LEVEL|DISCORD_[A-Z_]+", page))
    assert {one for one in named if f"| `{one}` |" not in readme} == set()
