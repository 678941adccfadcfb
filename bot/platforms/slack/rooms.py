"""What the Slack app works with."""

from dataclasses import dataclass

from bot.engine import Engine
from bot.platforms.slack.purging import Purging
from bot.platforms.slack.workspaces import Workspaces
from bot.service import Service
from bot.settings import Settings
from memory.memory import Memory


@dataclass(frozen=True, slots=True)
class Rooms:
    """All that answering Slack takes."""

    engine: Engine
    memory: Memory
    service: Service
    settings: Settings
    workspaces: Workspaces
    purging: Purging
