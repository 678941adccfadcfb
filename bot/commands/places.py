"""Commands about the bot in a server or workspace: who it is there, which model answers, how it is doing."""

import time
from datetime import timedelta

from bot.channels import Channel
from bot.commands.base import Here, Said, Switch
from bot.errors import CommandError
from bot.service import Service

NONE = ("none", "default")


async def persona(here: Here, text: str) -> Said:
    """Show or change who the bot is here."""
    service = _service(here)
    if not text:
        now = (await service.presets.get(here.scope.tenant)).persona
        none = f"I have no persona here. `{here.slash('persona')} TEXT` gives me one."
        return Said(f"Here I am told:\n\n{now}" if now else none)
    await service.presets.set(here.scope.tenant, persona=None if text.lower() in NONE else text)
    return Said("I am as I am everywhere again." if text.lower() in NONE else "So I will be, from my next answer on.")


async def model(here: Here, name: str) -> Said:
    """Show or change which model answers here."""
    service = _service(here)
    if not name:
        now = (await service.presets.get(here.scope.tenant)).llm or service.model
        known = ", ".join(f"`{one}`" for one in await service.presets.models(here.scope.tenant))
        return Said(f"`{now}` answers here. You may choose from {known}: `{here.slash('model')} NAME`.")
    await service.presets.set(here.scope.tenant, llm=None if name.lower() in NONE else name)
    return Said(f"`{service.model if name.lower() in NONE else name}` answers here from now on.")


async def channel(here: Here, words: str) -> Said:
    """Show or change what the bot does unasked in this channel: answer, and remember what is not addressed to it."""
    service = _service(here)
    if not words:
        return Said(does(await service.listening.channels.get(here.scope)))
    wanted: dict[str, bool] = {}
    said = words.lower().split()
    for name, value in zip(said[::2], [*said[1::2], ""], strict=False):
        if name not in ("joins", "remembers") or value not in ("on", "off"):
            called = here.slash("channel")
            raise CommandError(f"say what is to be on or off: `{called} joins on`, `{called} remembers off`")
        wanted[name] = value == "on"
    return Said(switch=Switch(**wanted))


def does(now: Channel) -> str:
    """Tell what the bot does in a channel."""
    return (
        f"Here I {'answer unasked' if now.joins else 'answer what is addressed to me'}, and remember "
        f"{'everything that is said' if now.remembers else 'what is said to me'}."
    )


async def usage(here: Here, rest: str) -> Said:
    """Tell what the person has used today."""
    return Said(await _service(here).usage(here.scope))


async def status(here: Here, rest: str) -> Said:
    """Tell how the bot is doing, and what it remembers here."""
    service = _service(here)
    began = time.perf_counter()
    remembered = (await here.memory.latest(here.scope, count=1)).total
    took = (time.perf_counter() - began) * 1000
    paused = await here.memory.paused(here.scope)
    llm = (await service.presets.get(here.scope.tenant)).llm or service.model
    up = timedelta(seconds=int(time.monotonic() - service.started))
    kept = await here.memory.retention(here.whose)
    lines = [
        f"{service.name} {service.version}, up for {up}",
        f"answers by {llm}",
        f"{remembered:,} turns can be recalled here; memory answers in {took:.0f} ms",
        f"turns are kept for {f'{kept:,} days' if kept else 'ever'}",
        "you have paused: nothing you say is remembered" if paused else "what you say to me is remembered",
    ]
    return Said("\n".join(f"- {line}" for line in lines))


async def privacy(here: Here, rest: str) -> Said:
    """Tell what is remembered, and how to see and end it."""
    return Said(await _service(here).privacy(here.scope, here.memory, here.slash("memory")))


def _service(here: Here) -> Service:
    if here.service is None:
        raise CommandError("that is told where the bot serves a server or workspace")
    return here.service
