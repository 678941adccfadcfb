"""Imports point one way: platforms and cli -> wiring -> engine -> apps -> models, prompts, budget -> memory."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXTRAS = ["aiohttp", "discord", "slack_bolt", "slack_sdk"]  # what platforms bring
FILES = sorted([*ROOT.glob("bot/**/*.py"), *ROOT.glob("memory/**/*.py")])

FORBIDDEN = {
    "memory": ["bot", "openai", "discord", "slack_bolt", "slack_sdk", "click", "rich"],
    "bot/models": ["bot.apps", "bot.engine", "bot.platforms", "bot.cli", "bot.wiring", "bot.settings"],
    "bot/apps": ["bot.engine", "bot.platforms", "bot.cli", "bot.wiring", "bot.settings"],
    "bot/engine.py": ["bot.platforms", "bot.cli", "bot.wiring", "bot.settings"],
    **{
        f"bot/{name}.py": [
            "bot.engine",
            "bot.platforms",
            "bot.cli",
            "bot.wiring",
            "bot.settings",
            "discord",
            "slack_sdk",
        ]
        for name in ("health", "metrics", "stopwatch", "stuck", "observe", "limits", "admission", "notices")
    },
    "bot/commands/": ["bot.platforms", "bot.cli", "bot.wiring", "discord", "slack_bolt", "rich", "prompt_toolkit"],
    "bot/delivery": ["bot.engine", "bot.platforms", "bot.cli", "bot.wiring", "bot.settings", "discord", "slack_sdk"],
    "bot/resp": ["bot.platforms", "bot.cli", "bot.wiring", "bot.settings", "discord", "slack_bolt", "click", "rich"],
    "bot/platforms": ["bot.cli", "bot.wiring"],
}


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file):
    for place, forbidden in FORBIDDEN.items():
        if file.is_relative_to(ROOT / place):
            wrong = {name for name in imported(file) for top in forbidden if name == top or name.startswith(f"{top}.")}
            assert not wrong, f"{place} must not import {sorted(wrong)}"


def test_only_wiring_builds_clients():
    builders = {"memory.connect", "bot.models.openai", "bot.models.local"}
    users = {file.relative_to(ROOT).as_posix() for file in FILES if imported(file) & builders}
    assert {user for user in users if not user.startswith("bot/models/")} <= {"bot/wiring.py", "memory/__init__.py"}


def test_the_doctor_needs_no_platforms_extra():
    """Whoever has installed the terminal alone is told what is wrong, too."""
    blocked = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS})); import bot.doctor, bot.cli.doctor"
    ran = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
