"""A process that has a summary from its model and never writes it, for tests that kill it."""

import asyncio
import sys

from bot.apps.history import History
from bot.summaries import Summaries, Summarizer
from memory import connect
from memory.keys import Keys
from memory.memory import Memory
from tests.fakes import ScriptedModel, ToyEmbedder


class Apps:
    """All apps are summarised by a model that has said everything and does not end."""

    async def summarizer(self, app: str) -> Summarizer:
        model = ScriptedModel(["A summary that is lost.", asyncio.Event()])
        return Summarizer(model, History(2, 1, 1), self._asked)

    def _asked(self, conversation: str) -> str:
        print("asked", flush=True)
        return conversation


async def main(url: str, namespace: str) -> None:
    memory = await Memory.open(connect.client(url), ToyEmbedder(), keys=Keys(namespace))
    await Summaries(memory, Apps()).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
