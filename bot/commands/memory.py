"""What `/memory` does: list, search, show, forget, take along, and wishes about being remembered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from bot import files
from bot.commands import choice
from bot.commands.base import At, Command, File, Here, Option, Said
from bot.commands.lines import found, named, numbered, told, when
from bot.errors import CommandError
from memory import transfer
from memory.memory import Memory
from memory.records import Forgotten, Which
from memory.scope import Operator, Scope
from memory.selection import Place
from memory.wishes import LONGEST

LISTED = 20  # turns that one listing shows
FOUND = 10  # turns that a search shows
SEARCHED = 100  # turns among which a search looks for a person's own
NOTHING = "Nothing is remembered here yet."
PREVIEWED = 10  # turns that are shown before they are forgotten


async def run(here: Here, rest: str) -> Said:
    """Carry out what follows `/memory`."""
    name, _, words = rest.partition(" ")
    offered = [one for one in VERBS if here.at in one.at]
    verb = next((one for one in offered if one.name == name), None)
    if verb is None:
        called = here.slash("memory")
        return Said("\n".join(f"- `{f'{called} {one.name} {one.usage}'.strip()}`: {one.summary}" for one in offered))
    if verb.manager and not (here.manager or here.owner):
        raise CommandError("only who manages this place may do that")
    return await verb.run(here, words.strip())


async def list_(here: Here, rest: str) -> Said:
    """List the latest turns; where others speak too, the person's own."""
    if here.at is At.CHAT:
        return await _own(here)
    listing = await here.memory.latest(here.scope, LISTED)
    if not listing.total:
        return Said(NOTHING)
    turns = listing.turns[::-1]
    lines = numbered(told(turn, here.timezone, here.link) for turn in turns)
    return Said(f"The last {len(turns)} of {listing.total:,} turns:\n\n{lines}", listed=named(turns))


async def _own(here: Here) -> Said:
    """List what the person said last, and what was answered to them, wherever that was."""
    places = await here.memory.find(here.scope, Which(person=here.scope.person))
    latest = sorted(places, key=lambda one: one.sent_at)[-LISTED:]
    shown = await here.memory.read(here.scope, latest)
    if not shown:
        return Said(NOTHING)
    lines = numbered(told(turn, here.timezone, here.link) for turn in shown)
    return Said(f"The last {len(shown)} of {len(places):,} turns of yours:\n\n{lines}", listed=named(shown))


async def search(here: Here, words: str) -> Said:
    """Show what memory finds for some words."""
    if not words:
        raise CommandError(f"say what to search for: `{here.slash('memory')} search WORDS`")
    hits = await here.memory.recall(here.scope, words, SEARCHED if here.at is At.CHAT else FOUND, anyway=True)
    if here.at is At.CHAT:
        hits = [one for one in hits if here.scope.person in (one.turn.person, one.turn.to)][:FOUND]
    text = numbered(found(one, here.timezone, here.link) for one in hits)
    return Said(text or NOTHING, listed=named(one.turn for one in hits))


async def show(here: Here, words: str) -> Said:
    """Show turns whole."""
    places = await here.memory.find(here.whose, await choice.chosen(here, words))
    turns = await here.memory.read(here.whose, places[:LISTED])
    if not turns:
        return Said("There are no such turns.")
    lines = [
        f"**{when(turn, here.timezone)} {turn.author}** in {turn.conversation}, {turn.id}, {turn.status}\n\n{turn.text}"
        for turn in turns
    ]
    more = f"\n\n… and {len(places) - len(turns):,} more." if len(places) > len(turns) else ""
    return Said("\n\n".join(lines) + more, listed=named(turns))


async def forget(here: Here, words: str) -> Said:
    """Show what would be forgotten, and forget it once that is confirmed."""
    which = await choice.chosen(here, words)
    places = await here.memory.find(here.whose, which)
    if not places:
        return Said("There are no such turns; nothing is forgotten.")
    return Said(await preview(here, places), confirm=partial(_forget, here, places))


async def preview(here: Here, places: Sequence[Place]) -> str:
    """Tell what would be forgotten."""
    turns = await here.memory.read(here.whose, places[:PREVIEWED])
    lines = "\n".join(f"- {told(turn, here.timezone, here.link)}" for turn in turns)
    more = f"\n- … and {len(places) - len(turns):,} more" if len(places) > len(turns) else ""
    return f"{with_answers(len(places))}:\n\n{lines}{more}\n\nForget for good?"


async def _forget(here: Here, places: Sequence[Place]) -> Said:
    return Said(outcome(await here.memory.forget(here.whose, places)), forgotten=True)


def outcome(done: Forgotten) -> str:
    """Tell what forgetting did."""
    left = f" They may still lie in its files on the disk: {done.trouble}." if done.trouble else ""
    return f"{counted(done.turns)} forgotten.{left}"


def with_answers(turns: int) -> str:
    """Return a number of turns that go with the answers to them."""
    return f"{counted(turns)}, and what was answered to {'it' if turns == 1 else 'them'}"


def counted(turns: int) -> str:
    """Return a number of turns in words."""
    return "1 turn" if turns == 1 else f"{turns:,} turns"


async def export(here: Here, words: str) -> Said:
    """Write turns to a file, a line of JSON each."""
    name, _, rest = words.partition(" ")
    if not name:
        raise CommandError(f"say where to: `/memory export FILE [{choice.USAGE}]`")
    which = await choice.chosen(here, rest) if rest.strip() else Which()
    with files.fresh(files.named(name)) as file:
        count = 0
        async for one in here.memory.export(here.whose, which):
            file.write(one.line() + "\n")
            count += 1
    return Said(f"{counted(count)} written to {name}.")


async def hand_over(here: Here, words: str) -> Said:
    """Give what is remembered of the person: what they said and what was answered to them, a line of JSON a turn."""
    lines = [one.line() async for one in here.memory.export(here.whose, Which(person=here.scope.person))]
    if not lines:
        return Said("Nothing is remembered of you here.")
    text = "".join(f"{line}\n" for line in lines)
    return Said(f"{counted(len(lines))}, a line of JSON each.", file=File("memory.jsonl", text))


async def import_(here: Here, words: str) -> Said:
    """Remember the turns of a file."""
    if not words:
        raise CommandError("say what to read: `/memory import FILE`")
    file = files.named(words)
    for _ in transfer.read_jsonl(file):  # a fault is found before anything is written
        pass
    done = await here.memory.bring_in(transfer.read_jsonl(file), here.scope_of)
    return Said(f"{counted(done.new)} remembered, {done.known:,} were known already.")


async def pause(here: Here, rest: str) -> Said:
    """Remember nothing of the person for now."""
    await here.memory.pause(here.scope)
    return Said(
        f"From now on you are answered, and nothing you say is remembered. `{here.slash('memory')} resume` ends that."
    )


async def resume(here: Here, rest: str) -> Said:
    """Remember the person again."""
    await here.memory.resume(here.scope)
    return Said("What you say is remembered again.")


async def learn(here: Here, rest: str) -> Said:
    """Remember what was said in this channel before."""
    return Said(learn=True)


async def retain(here: Here, words: str) -> Said:
    """Tell or change for how long turns are kept."""
    here = replace(here, owner=here.owner or here.manager)
    if not words:
        days = await here.memory.retention(here.whose)
        called = f"{here.slash('memory')} retain"
        return Said(f"Turns are kept for {kept(days)}. `{called} DAYS` or `{called} forever` changes that.")
    if not here.owner:
        raise CommandError("only whoever runs the bot decides how long turns are kept")
    days = days_of(words)
    older = await too_old(here.memory, here.whose, days)
    work = partial(_retain, here, days)
    if not older:
        return await work()
    return Said(f"{counted(older)} are older than that and would be forgotten. Is that what you want?", confirm=work)


def days_of(words: str) -> int | None:
    """Read for how many days turns are kept; None for ever. Raises CommandError."""
    if words.lower() in ("forever", "for ever"):
        return None
    number = words.lower().removesuffix("days").removesuffix("day").strip()
    if not number.isdecimal():
        raise CommandError(f"{words!r} is no number of days; say `retain 30` or `retain forever`")
    if len(number) > len(str(LONGEST)) or not 1 <= int(number) <= LONGEST:
        raise CommandError(f"turns can be kept for 1 to {LONGEST:,} days, or `retain forever`")
    return int(number)


def kept(days: int | None) -> str:
    """Return for how long turns are kept, in words."""
    return "ever" if days is None else "1 day" if days == 1 else f"{days:,} days"


async def too_old(memory: Memory, whose: Scope | Operator, days: int | None) -> int:
    """Return how many turns are older than so many days."""
    if days is None:
        return 0
    until = datetime.now(UTC) - timedelta(days=days)
    return len(await memory.find(whose, Which(until=int(until.timestamp() * 1000))))


async def _retain(here: Here, days: int | None) -> Said:
    await here.memory.retain(here.whose, days)
    done = await here.memory.upkeep()
    gone = f" {outcome(Forgotten(done.expired, done.unerased))}" if done.expired else ""
    return Said(f"Turns are kept for {kept(days)} now.{gone}", forgotten=bool(done.expired))


DAYS = Option("days", "30, or forever; nothing tells how it is")
WHICH = Option("which", "Numbers of the last list, since 7d, search WORDS, all ...", required=True)

VERBS = (
    Command("list", "", "the latest turns", list_),
    Command("search", "WORDS", "what memory finds", search, options=(Option("words", "What to search for", True),)),
    Command("show", "NUMBER… | …", "turns whole", show, options=(WHICH,)),
    Command("forget", choice.USAGE, "forget for good, once you say yes", forget, options=(WHICH,)),
    Command("export", "FILE [person …]", "turns into a file", export, at=At.TERMINAL),
    Command("export", "", "what is remembered of you, as a file", hand_over, at=At.CHAT),
    Command("import", "FILE", "turns from a file", import_, at=At.TERMINAL),
    Command("pause", "", "be answered and not remembered", pause),
    Command("resume", "", "be remembered again", resume),
    Command("learn-channel", "", "remember what was said here before", learn, At.CHAT, manager=True),
    Command("retain", "[DAYS | forever]", "for how long turns are kept", retain, options=(DAYS,)),
)
