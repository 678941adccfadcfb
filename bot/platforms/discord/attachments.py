"""What is attached to messages: texts and images, read at once, for the addresses that Discord gives expire."""

import asyncio
import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

import discord
import structlog

from bot.models.base import Image
from bot.platforms.discord.outlet import FAILED
from bot.records import Attachment

log = structlog.get_logger()

MOST = 10  # files
MOST_IMAGES = 4
IMAGE_BYTES = 5 * 1024 * 1024
TIMEOUT = 10.0  # seconds for a file

# A file is known by its ending first: Discord takes TypeScript for a film, and much source code for nothing at all.
_TEXTS = frozenset(
    "adoc asm astro awk bash bat bib c cc cfg clj cljs cmake cmd conf cpp cs css csv cu cxx d dart diff dockerfile "
    "edn el elm erl ex exs f90 fish fs gd geojson gitignore go gql gradle graphql groovy h haml hbs hcl hpp hs htm "
    "html http hxx ics inc ini ipynb java jl js json json5 jsonc jsonl jsx kt kts less lisp log lua m make makefile "
    "markdown md mdx mjs ml mm mts ndjson nim nix nu org pas patch php pl plist pm po proto ps1 psm1 puml py pyi pyx "
    "r rb rmd rs rst s sass scala scm scss sh sol sql srt svelte svg swift tcl tex tf toml ts tsv tsx txt v vb vhd "
    "vim vtt vue wat xaml xml xsd xsl yaml yml zig zsh".split()
)
_IMAGES = frozenset("png jpg jpeg gif webp".split())
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/x-ndjson", "application/yaml")

_SIGNS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

Kind = Literal["text", "image"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read. kb: of a text file, at most; sees: whether the model looks at images."""

    kb: int
    sees: bool


async def read(
    messages: Sequence[discord.Message], limits: Limits, replied: discord.Message | None = None
) -> tuple[Attachment, ...]:
    """Return what is attached to messages, and to the one they reply to; what is not read says why. Never fails."""
    found: list[tuple[discord.Attachment, str | None]] = [
        (one, None) for message in messages for one in message.attachments
    ]
    if replied is not None:
        found += [(one, replied.author.display_name) for one in replied.attachments]
    reading, images = [], 0
    for at, (one, author) in enumerate(found):
        kind = kind_of(one)
        refusal = f"{MOST} files are the most" if at >= MOST else _refusal(one, kind, images, limits)
        images += kind == "image" and not refusal
        reading.append(_read(one, kind, author, refusal))
    return tuple(await asyncio.gather(*reading))


def kind_of(one: discord.Attachment) -> Kind | None:
    """Return what a file is by its name, or else by what Discord takes it for; None for what is not read."""
    path = PurePath(one.filename.lower())
    ending = path.suffix.removeprefix(".") or path.name.removeprefix(".")
    if ending in _IMAGES:
        return "image"
    declared = (one.content_type or "").split(";")[0].strip().lower()
    if ending in _TEXTS or declared.startswith(_TEXT_TYPES) or declared.endswith(("+json", "+xml")):
        return "text"
    return "image" if declared in {f"image/{name}" for name in _IMAGES} else None


def decoded(data: bytes) -> str | None:
    """Return the text that a file holds, UTF-8 or, where it begins with the mark of it, UTF-16; None for others."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def media_type(data: bytes) -> str | None:
    """Return what an image is by how it begins; None for one that models don't take."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for sign, name in _SIGNS if data.startswith(sign)), None)


def _refusal(one: discord.Attachment, kind: Kind | None, images: int, limits: Limits) -> str:
    """Return why a file is not even downloaded; empty where it is."""
    if kind is None:
        return "a voice message" if one.is_voice_message() else "neither text nor image"
    if kind == "image" and not limits.sees:
        return "the model does not see images"
    if kind == "image" and images >= MOST_IMAGES:
        return f"{MOST_IMAGES} images are the most"
    most = limits.kb * 1024 if kind == "text" else IMAGE_BYTES
    return f"{_kb(one.size)}; {_kb(most)} are the most" if one.size > most else ""


async def _read(one: discord.Attachment, kind: Kind | None, author: str | None, refusal: str) -> Attachment:
    if refusal:
        return Attachment(one.filename, unread=refusal, author=author)
    try:
        async with asyncio.timeout(TIMEOUT):
            data = await one.read()
    except FAILED as error:
        log.info("attachment not downloaded", attachment=one.id, error=type(error).__name__)
        return Attachment(one.filename, unread="it could not be downloaded", author=author)
    if kind == "image":
        found = media_type(data)
        if found is None:
            return Attachment(one.filename, unread="not an image that can be read", author=author)
        return Attachment(one.filename, image=Image(data, found), author=author)
    text = decoded(data)
    if text is None:
        return Attachment(one.filename, unread="not text", author=author)
    if not text.strip():
        return Attachment(one.filename, unread="empty", author=author)
    return Attachment(one.filename, text, author=author)


def _kb(size: int) -> str:
    return f"{-(-size // 1024):,} KB"
