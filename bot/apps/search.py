"""The search app: the question's nearest items of a vector store, numbered, and an answer that cites them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.apps import templates
from bot.apps.quoting import quoted
from bot.apps.runs import Ran, Source
from bot.models.base import Message, Tokenizer
from bot.prompts import Prompts
from memory.store_items import Found, Near

NOTHING = "The vector store has nothing about that."

SHOWN = 80  # characters of a source below an answer
RRF = 60  # reciprocal rank fusion's constant (Cormack, Clarke and Buettcher, SIGIR 2009)


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that may answer. similarity: its cosine with the question; None where the metric does not tell."""

    id: int
    text: str
    similarity: float | None
    shares_words: bool


def fused(near: Sequence[Near], found: Sequence[Found], metric: str) -> list[Hit]:
    """Return what the searches by meaning and by words found, by reciprocal rank fusion, the best first."""
    scores: dict[int, float] = {}
    for ranking in ([one.id for one in near], [one.id for one in found]):
        for rank, id_ in enumerate(ranking, 1):
            scores[id_] = scores.get(id_, 0.0) + 1 / (RRF + rank)
    texts = {one.id: one.text for one in near} | {one.id: one.text for one in found}
    similarities = {one.id: _cosine(one.distance, metric) for one in near}
    words = {one.id for one in found}
    order = sorted(scores, key=lambda id_: (-scores[id_], id_))
    return [Hit(id_, texts[id_], similarities.get(id_), id_ in words) for id_ in order]


def related(hits: Sequence[Hit], floor: float) -> list[Hit]:
    """Return the hits that have to do with the question: like it, or sharing a word that is not a common one."""
    return [one for one in hits if one.shares_words or one.similarity is None or one.similarity >= floor]


def compose(
    prompt: str | None, prompts: Prompts, given: Mapping[str, Any], question: str, hits: Sequence[Hit], name: str
) -> list[Message]:
    """Return the prompt: the numbered hits as {{context}}, what is asked as {{question}}. Raises PromptError."""
    context = "\n".join(f"[{number}] {quoted(one.text)}" for number, one in enumerate(hits, 1))
    if prompt is None:
        return [Message("user", prompts.render("search", context=context, question=question))]
    told = {**given, "context": context, "question": question}
    return [Message("user", templates.fill(prompt, told, f"the prompt of {name}"))]


def cited(answer: str, hits: Sequence[Hit]) -> tuple[Source, ...]:
    """Return the sources whose numbers an answer cites."""
    listed = re.findall(r"\[(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\]", answer)
    numbers = {int(number) for group in listed for number in re.split(r"\s*[,;]\s*", group)}
    return tuple(
        Source(number, hits[number - 1].id, hits[number - 1].text)
        for number in sorted(numbers)
        if 0 < number <= len(hits)
    )


def _cosine(distance: float, metric: str) -> float | None:
    """Return the cosine that a distance of unit vectors tells."""
    match metric:
        case "l2":
            return 1 - distance / 2
        case "cosine" | "ip":
            return 1 - distance
    return None


def fitting(hits: Sequence[Hit], room: int, tokenizer: Tokenizer) -> list[Hit]:
    """Return the hits with texts that fit into so many tokens together; the first ones may take what others leave."""
    kept: list[Hit] = []
    left = room
    for at, one in enumerate(hits):
        share = max(left // (len(hits) - at), 0)
        text = one.text if len(one.text.encode()) <= share else tokenizer.cut(one.text, share)
        left -= tokenizer.count(text)
        kept.append(replace(one, text=text))
    return [one for one in kept if one.text.strip()]


def with_sources(ran: Ran) -> str:
    """Return an answer with the sources that it cites below it."""
    lines = [f"[{one.number}] item {one.id}: {_beginning(one.text)}" for one in ran.sources]
    return "\n\n".join(part for part in (ran.answer, "\n".join(lines)) if part)


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[:SHOWN] + "..."
