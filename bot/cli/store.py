"""lorebot store: named vector stores and what they hold."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np

from bot import settings
from bot.cli.objects import making, noun, owned, parameters, told
from bot.cli.shared import as_json, asynchronous, counting, starting
from bot.errors import CommandError, ObjectMissing
from bot.platforms import terminal
from bot.platforms.screens import clean
from bot.registry import wiring
from bot.registry.objects import DEFAULT, How, Kind
from bot.registry.parameters import MOST_K, floats
from memory.store_filters import where
from memory.store_items import LAST_ID, Found, Item, Near, New

BATCH = 64  # items that are embedded and written together

ID = click.IntRange(0, LAST_ID)


@click.group()
def command() -> None:
    """Keep texts with their vectors, and find them by meaning, by words and by metadata.

    \b
    Example:
      lorebot store create handbook
      lorebot store add handbook "Badges are made on the ground floor." --metadata floor=0
      lorebot store add handbook --file pages.jsonl
      lorebot store knn handbook "Where do I get a badge?" -k 3
    """


@command.command()
@click.argument("name")
@click.option(
    "--llm",
    metavar="MODEL",
    default=DEFAULT,
    show_default=True,
    help="The model that embeds; none: every item comes with its vector.",
)
@making
@asynchronous
async def create(
    name: str, llm: str, params: str | None, single: tuple[str, ...], shared: bool, replace: bool, tenant: str
) -> None:
    """Make a vector store: an HNSW index of its own.

    \b
    Parameters: max_elements 100000, m 16, ef_construction 200, ef_runtime 100, dim 0 (that of the first vector),
    metric l2 (or cosine, ip), dtype float32 (or float64, float16), language english, numeric (names of metadata that
    is filtered by ranges).

    \b
    Example:
      lorebot store create handbook -p 'numeric=["year"]' -p max_elements=20000
    """
    given = parameters(params, single)
    if llm != "none":
        given.setdefault("llm", llm)
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            made = await registry.stores.create(name, given, How(tenant, nx=not replace, shared=shared))
    told(made, Kind.STORE, name)


@command.command()
@click.argument("name")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--id", "id_", type=ID, help="The item's id; one that is there is replaced. Default: the next one.")
@click.option("--embedding", metavar="N,N,...", help="The item's vector; default: the store's model embeds the text.")
@click.option("--metadata", multiple=True, metavar="NAME=VALUE", help="What the item can be filtered by.")
@click.option("--ttl", type=click.FloatRange(min=0.001), metavar="SECONDS", help="Forget it after that time.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help='Items a line: {"text": ..., "id", "embedding", "metadata", "ttl"}.',
)
@owned
@as_json
@asynchronous
async def add(
    name: str,
    texts: tuple[str, ...],
    id_: int | None,
    embedding: str | None,
    metadata: tuple[str, ...],
    ttl: float | None,
    file: Path | None,
    tenant: str,
    json_: bool,
) -> None:
    """Put items in; print their ids.

    \b
    Example:
      lorebot store add handbook "Badges are made on the ground floor."
      lorebot store add handbook "En panne ?" --metadata lang=fr --ttl 86400
      lorebot store add handbook --file pages.jsonl
    """
    if file is not None and (texts or id_ is not None or embedding):
        raise click.UsageError("give texts or --file, not both")
    if len(texts) > 1 and (id_ is not None or embedding):
        raise click.UsageError("--id and --embedding are for one text")
    facts = parameters(None, metadata, option="--metadata")
    vector = np.array(floats(embedding, "--embedding")) if embedding else None
    items = [New(text, vector, id_, facts, ttl) for text in texts] if file is None else list(_lines(file))
    if not items:
        raise click.UsageError('nothing to add; give a text, or --file; for example: lorebot store add notes "A text"')
    ids: list[int] = []
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            with counting(f"adding to {name}", len(items)) as step:
                rest = iter(items)
                while some := list(islice(rest, BATCH)):
                    ids += await registry.stores.add(name, some, owner=tenant)
                    step(len(some))
    print(json.dumps(ids) if json_ else f"{len(ids)} items added." if file else "\n".join(map(str, ids)))


@command.command()
@click.argument("name")
@click.argument("ids", nargs=-1, required=True, type=ID)
@owned
@as_json
@asynchronous
async def get(name: str, ids: tuple[int, ...], tenant: str, json_: bool) -> None:
    """Show items whole.

    \b
    Example:
      lorebot store get handbook 1 2
    """
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            found = await registry.stores.get(name, ids, owner=tenant)
    if json_:
        print(json.dumps([one and _item(one) for one in found], ensure_ascii=False))
        return
    for id_, one in zip(ids, found, strict=True):
        if one is None:
            raise ObjectMissing(f"the vector store {name} has no item {id_}")
        print(clean(f"{one.id}{_told(one.metadata)}\n{one.text}\n"))


@command.command()
@click.argument("name")
@click.argument("ids", nargs=-1, required=True, type=ID)
@owned
@asynchronous
async def rem(name: str, ids: tuple[int, ...], tenant: str) -> None:
    """Take items out.

    \b
    Example:
      lorebot store rem handbook 1 2
    """
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            print(await registry.stores.remove_items(name, ids, owner=tenant))


@command.command()
@click.argument("name")
@owned
@asynchronous
async def size(name: str, tenant: str) -> None:
    """Tell how many items there are.

    \b
    Example:
      lorebot store size handbook
    """
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            print(await registry.stores.size(name, owner=tenant))


@command.command()
@click.argument("name")
@click.argument("text", required=False)
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, MOST_K), help="How many items.")
@click.option("--embedding", metavar="N,N,...", help="Search for this vector, not for a text.")
@click.option(
    "--where", "conditions", multiple=True, metavar="CONDITION", help="lang=en, lang=en,fr, tag!=draft, year>=2020"
)
@owned
@as_json
@asynchronous
async def knn(
    name: str,
    text: str | None,
    k: int,
    embedding: str | None,
    conditions: tuple[str, ...],
    tenant: str,
    json_: bool,
) -> None:
    """Find the items that mean the same, the nearest first.

    \b
    Example:
      lorebot store knn handbook "Where do I get a badge?" -k 3 --where year>=2020
    """
    if (text is None) == (embedding is None):
        raise click.UsageError("give a text or --embedding")
    query = text if text is not None else np.array(floats(embedding or "", "--embedding"))
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            found = await registry.stores.knn(name, query, k, where(*conditions), owner=tenant)
    _show(found, json_)


@command.command()
@click.argument("name")
@click.argument("text")
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, MOST_K), help="How many items.")
@click.option(
    "--where", "conditions", multiple=True, metavar="CONDITION", help="lang=en, lang=en,fr, tag!=draft, year>=2020"
)
@owned
@as_json
@asynchronous
async def search(name: str, text: str, k: int, conditions: tuple[str, ...], tenant: str, json_: bool) -> None:
    """Find the items that share words, the best first (BM25).

    \b
    Example:
      lorebot store search handbook "badge" --where lang=en
    """
    with starting() as progress:
        async with wiring.opened(settings.load(), progress) as registry:
            found = await registry.stores.search(name, text, k, where(*conditions), owner=tenant)
    _show(found, json_)


for one in noun(Kind.STORE):
    command.add_command(one)


def _lines(file: Path) -> Iterator[New]:
    """Read items from JSONL. Raises CommandError naming the line."""
    for number, line in enumerate(terminal.decoded(file.read_bytes(), str(file)).splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            unknown = found.keys() - {"text", "id", "embedding", "metadata", "ttl"}
            if unknown:
                raise ValueError(f"{', '.join(sorted(unknown))} is not known")
            vector = None if found.get("embedding") is None else np.array(found["embedding"], dtype=float)
            yield New(found["text"], vector, found.get("id"), found.get("metadata") or {}, found.get("ttl"))
        except KeyError as error:
            raise CommandError(f"{file}, line {number}: {error.args[0]} is missing") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise CommandError(
                f"{file}, line {number}: no item ({error}); a JSON object with a text is wanted"
            ) from error


def _show(found: Sequence[Near | Found], json_: bool) -> None:
    if json_:
        print(json.dumps([_hit(one) for one in found], ensure_ascii=False))
        return
    for one in found:
        measure = one.distance if isinstance(one, Near) else one.score
        print(clean(f"{measure:.3f}  {one.id}{_told(one.metadata)}  {' '.join(one.text.split())}"))
    if not found:
        print("Nothing is found.", file=sys.stderr)


def _hit(one: Near | Found) -> dict[str, Any]:
    measure = {"distance": one.distance} if isinstance(one, Near) else {"score": one.score}
    return {"id": one.id, **measure, "text": one.text, "metadata": dict(one.metadata)}


def _item(one: Item) -> dict[str, Any]:
    return {
        "id": one.id,
        "text": one.text,
        "embedding": None if one.vector is None else [float(str(number)) for number in one.vector],
        "metadata": dict(one.metadata),
        "expires_at": one.expires_at,
    }


def _told(metadata: Any) -> str:
    return "".join(f"  {name}={value}" for name, value in metadata.items())
