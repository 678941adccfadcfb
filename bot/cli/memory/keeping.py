"""lorebot memory pause, resume, retain, reembed."""

import json
from dataclasses import asdict

import click

from bot import observe, settings, wiring
from bot.cli.memory.managed import agreed, managing, tenancy
from bot.cli.shared import as_json, asynchronous, starting
from bot.commands import memory as verbs
from bot.platforms.screens import clean
from memory.records import Forgotten
from memory.upkeep import Upkeep


@click.command()
@click.option("--user", metavar="NAME", help="Who; default: your login name.")
@asynchronous
async def pause(user: str | None) -> None:
    """From now on the user is answered, and nothing they say is remembered.

    \b
    Example:
      lorebot memory pause
    """
    async with managing(settings.load(user=user)) as managed:
        print(clean((await verbs.pause(managed.here, "")).text.replace("/memory", "lorebot memory").replace("`", "")))


@click.command()
@click.option("--user", metavar="NAME", help="Who; default: your login name.")
@asynchronous
async def resume(user: str | None) -> None:
    """Remember again what the user says.

    \b
    Example:
      lorebot memory resume
    """
    async with managing(settings.load(user=user)) as managed:
        print((await verbs.resume(managed.here, "")).text)


@click.command()
@click.argument("days", required=False, metavar="[DAYS|forever]")
@tenancy
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@asynchronous
async def retain(days: str | None, tenant: str | None, user: str | None, yes: bool, json_: bool) -> None:
    """Tell or set for how many days turns are kept. Older ones are forgotten at once, and from then on by the bot.

    \b
    Example:
      lorebot memory retain 90
      lorebot memory retain forever
    """
    wanted = verbs.days_of(days) if days else None
    async with managing(settings.load(user=user), tenant) as managed:
        done = Upkeep()
        if days:
            if (older := await verbs.too_old(managed.memory, managed.operator, wanted)) and not yes:
                agreed(f"Forget {verbs.counted(older)} that are older than that, for good?")
            await managed.memory.retain(managed.operator, wanted)
            done = await managed.memory.upkeep()
        kept = await managed.memory.retention(managed.operator)
    if json_:
        print(json.dumps({"days": kept, "forgotten": done.expired, "trouble": done.unerased}))
    else:
        gone = f" {verbs.outcome(Forgotten(done.expired, done.unerased))}" if done.expired else ""
        print(f"Turns are kept for {verbs.kept(kept)}.{gone}")


@click.command()
@click.option("--drop-old", is_flag=True, help="Delete the vectors of other embedders afterwards: no way back then.")
@as_json
@asynchronous
async def reembed(drop_old: bool, json_: bool) -> None:
    """Embed all of memory, of everybody, with the embedder that is configured now, and use that from then on.

    Bots go on answering with the old one meanwhile; restart them with the new settings afterwards. Interrupted, it goes
    on when it is run again. With the old settings, the same command goes back: the old vectors are kept.

    \b
    Example:
      LOREBOT_EMBEDDER=openai lorebot memory reembed
      lorebot memory reembed --drop-old
    """
    config = settings.load()
    observe.configure(config.log_level)
    with starting() as progress:
        moved = await wiring.reembed(config, progress, drop_old=drop_old)
    if json_:
        print(json.dumps(asdict(moved)))
    else:
        print(f"{verbs.counted(moved.embedded)} embedded. Memory is searched with {moved.now}; before: {moved.before}.")
