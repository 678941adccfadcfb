"""ChatApp: recall, fit the prompt, stream the model's answer."""

import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot import budget
from bot.apps.history import History
from bot.apps.marks import plain
from bot.apps.quoting import Speakers, asked, quoted, seen_name, speakers, spoken, unnamed
from bot.errors import MessageTooLong
from bot.models.base import ChatModel, Finished, Message
from bot.models.tokens import readable
from bot.prompts import Prompts
from bot.records import Answered, Event, Incoming, Notice, Seen, Tokens
from memory.memory import Glance, Memory
from memory.pending import Due
from memory.rank import SHARPNESS
from memory.records import Context, Recalled, Status, Turn, answer_id
from memory.scope import Scope

# How likely a turn must be to help, as a share of how likely the best one is. The first loses nothing of what answers
# a question, on four data sets; a small model takes the nearest quote for the answer, so that fewer are better.
LEAST_LIKELY, LEAST_LIKELY_SMALL = 0.003, 0.03

BOT = "lorebot"  # the person that the bot's own turns carry
LEAST_MESSAGE = 64  # tokens; a message cut shorter than this can't be answered


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How a chat is held.

    prompt_tokens, reply_tokens: at most. recall: turns recalled, at most. window: recent turns, at most.
    small: the model takes whatever it reads for a fact and parrots what it is not asked about, so it is shown neither
    its own replies nor old questions, and memory only with a question. history: how long conversations are summarised;
    its msg_ctx_cnt takes the window's place. app: the name by which whoever makes the summaries knows this app.
    persona: who the bot is, beside its name.
    """

    name: str = "Lorebot"
    prompt_tokens: int = 6000
    reply_tokens: int = 2000
    recall: int = 24
    window: int = 20
    small: bool = False
    history: History | None = None
    app: str = "chat"
    persona: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt and what went into it. cut: tokens of the message that were left out. told: summaries."""

    messages: tuple[Message, ...]
    recalled: tuple[Recalled, ...]
    recent: tuple[Turn, ...]
    tokens: int
    cut: int = 0
    told: tuple[Recalled, ...] = ()


class ChatApp:
    """Answers with what memory recalls and the recent window, within the model's context."""

    def __init__(self, memory: Memory, model: ChatModel, prompts: Prompts, options: ChatOptions) -> None:
        self._memory = memory
        self._model = model
        self._prompts = prompts
        self._options = options

    @property
    def budget(self) -> int:
        """The tokens a prompt may take: its own limit, or what the reply leaves of the model's context."""
        return min(self._options.prompt_tokens, self._model.context_window - self._options.reply_tokens)

    def check(self, incoming: Incoming) -> None:
        """Raise PromptError where the system prompt cannot be filled in, so that nothing is remembered in vain."""
        self._system(incoming, speakers(incoming, (), (), self._options.name))

    async def recollect(self, incoming: Incoming, glance: Glance) -> Context:
        """Return what memory gives to the answer; the message is remembered. Raises RedisError."""
        window = self._recent
        shown = window + (self._options.history.summary_cnt if self._options.history else 0)
        return await self._memory.hear(
            incoming.scope,
            heard(incoming),
            k=self._options.recall + shown,
            window=window,
            glance=glance,
            due=self.due(incoming.scope),
            told=self._told,
        )

    async def look_back(self, incoming: Incoming) -> Context:
        """Return what memory gives to the answer where it can be read but not be written. Raises RedisError."""
        scope, pending = incoming.scope, self.due(incoming.scope) is not None
        recent = await self._memory.recent(scope, self._recent, pending=pending)
        recalled = await self._memory.recall(scope, incoming.text, self._options.recall, told=self._told)
        return Context(tuple(recalled), recent)

    def due(self, scope: Scope) -> Due | None:
        """Return when a conversation is to be summarised, for `Memory.remember`; None: never."""
        history = self._options.history
        return None if history is None else history.due(self._options.app, scope)

    @property
    def _recent(self) -> int:
        history = self._options.history
        return self._options.window if history is None else history.msg_ctx_cnt

    @property
    def _told(self) -> int:
        history = self._options.history
        return 0 if history is None else history.shown

    async def answer(self, incoming: Incoming, context: Context) -> AsyncIterator[Event]:
        """Stream the answer that the model gives with what memory gave.

        Raises MessageTooLong, ModelError.
        """
        options = self._options
        prompt = self.compose(incoming, context)
        if prompt.cut:
            yield Notice(f"Your message is too long for the model: its last {prompt.cut:,} tokens were left out.")
        said: list[str] = []
        finished = Finished()
        async with aclosing(self._model.stream(prompt.messages, max_tokens=options.reply_tokens)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                if isinstance(piece, Finished):
                    finished = piece
                else:
                    said.append(piece.text)
                    yield piece
        text = "".join(said)
        if not text.strip():
            yield Notice("The model answered with nothing.")
        if finished.cut:
            yield Notice(f"The answer was cut at {options.reply_tokens:,} tokens.")
        yield Answered(
            answer=text,
            turn_id=incoming.id,
            model=self._model.name,
            recalled=prompt.recalled,
            recent=prompt.recent,
            tokens=Tokens(
                prompt=finished.prompt_tokens or prompt.tokens,
                completion=finished.completion_tokens or self._model.tokenizer.count(text),
                budget=self.budget,
            ),
            status=Status.CUT if finished.cut else Status.WHOLE,
        )

    def compose(self, incoming: Incoming, context: Context) -> Prompt:
        """Return the prompt: the stable part first, then the window, then the message with what was recalled.

        The message comes first, then the window and what was recalled share what is left; with a history, the window
        comes before summaries and what was recalled, as it shows what stands nowhere else. It never takes more than the
        budget. Raises MessageTooLong where the context is too small for any message.
        """
        incoming = replace(incoming, context=self._shown(incoming))
        recent = [
            turn
            for turn in context.recent
            if plain(turn.text).strip() and turn.role != "system" and not self._own(turn)
        ]
        who = speakers(incoming, recent, [one.turn for one in context.recalled], self._options.name)
        system = self._system(incoming, who)
        words = plain(incoming.text)
        incoming = replace(incoming, text=asked(words, _asker(incoming, who), who))
        text, cut = self._fitting(incoming, system, who)
        if cut and incoming.text != words:  # names are not what was left out
            count = self._model.tokenizer.count
            cut = max(count(words) - count(unnamed(text, _asker(incoming, who))), 1)
        room = self.budget - self._cost([system, self._message(incoming, text, (), who)])
        pool = [one for one in context.recalled if self._quotable(one, text if cut else words)]
        window = self._newest(recent, room if self._options.history else room // 2, who)
        told = self._fitting_summaries(context.recalled, room - self._spent(window, who), incoming)
        if told:
            system = self._system(incoming, who, told)
            room = self.budget - self._cost([system, self._message(incoming, text, (), who, told)])
        recalled = self._best(pool, window, room - self._spent(window, who), incoming, who)
        window = self._newest(recent, room - self._quoted(recalled, incoming, who), who)
        recalled = [one for one in recalled if one.turn not in window]
        while True:
            messages = (
                system,
                *(_window(turn, who) for turn in window),
                self._message(incoming, text, recalled, who, told),
            )
            tokens = self._cost(messages)
            if tokens <= self.budget or not (recalled or told or window):
                return Prompt(messages, tuple(recalled), tuple(window), tokens, cut, tuple(told))
            if recalled:
                recalled.pop()  # the lowest ranked
            elif told:
                told.pop()
                system = self._system(incoming, who, told)
            else:
                window.pop(0)  # the oldest

    def _system(self, incoming: Incoming, who: Speakers, told: Sequence[Recalled] = ()) -> Message:
        now = datetime.fromtimestamp(incoming.sent_at / 1000, ZoneInfo(incoming.timezone))
        return Message(
            "system",
            self._prompts.render(
                "chat",
                name=self._options.name,
                persona=self._options.persona,
                person=_asker(incoming, who),
                today=f"{now:%A}, {now.day} {now:%B} {now.year}",
                timezone=incoming.timezone,
                history=_history(told, ZoneInfo(incoming.timezone)),
            ),
        )

    def _message(
        self, incoming: Incoming, text: str, recalled: Sequence[Recalled], who: Speakers, told: Sequence[Recalled] = ()
    ) -> Message:
        """Return the message with what was recalled; summaries too, unless the system prompt has its own place."""
        zone = ZoneInfo(incoming.timezone)
        quotes = [
            {
                "day": day(one.turn, zone),
                "author": who.name(one.turn),
                "quote": quoted(one.excerpt),
                "sent_at": one.turn.sent_at,
                "rank": rank,
            }
            for rank, one in enumerate(recalled)
        ]
        return Message(
            "user",
            self._prompts.render(
                "message",
                message=text,
                author=_asker(incoming, who),
                recalled=quotes,
                history="" if self._prompts.takes("chat", "history") else _history(told, zone),
                context=[{"author": seen_name(seen), "quote": quoted(seen.text)} for seen in incoming.context],
            ),
        )

    def _shown(self, incoming: Incoming) -> list[Seen]:
        """Return what fits of the screen around the message, into a quarter of the budget; the latest is kept."""
        count = self._model.tokenizer.count
        latest = reversed(incoming.context)
        kept = budget.fit(latest, self.budget // 4, lambda seen: 6 + count(f"{seen_name(seen)}: {quoted(seen.text)}"))
        return kept[::-1]

    def _fitting(self, incoming: Incoming, system: Message, who: Speakers) -> tuple[str, int]:
        """Return the message's text, cut where it alone is too long, and the tokens left out."""
        tokenizer = self._model.tokenizer
        beside = self._cost([system, self._message(incoming, "", (), who)])
        room = self.budget - beside
        if room < LEAST_MESSAGE:
            raise MessageTooLong(
                f"the model's context leaves {max(room, 0)} tokens for a message; raise LOREBOT_CONTEXT_WINDOW or "
                "LOREBOT_PROMPT_TOKENS, lower LOREBOT_REPLY_TOKENS, or take a model with a larger context"
            )
        whole = tokenizer.count(incoming.text)
        text = incoming.text
        over = self._cost([system, self._message(incoming, text, (), who)]) - self.budget
        while over > 0 and text:
            text = tokenizer.cut(incoming.text, max(room, 0))
            over = self._cost([system, self._message(incoming, text, (), who)]) - self.budget
            room -= max(8, over // 2)  # what follows a cut may join tokens differently, or be shown twice
        return text, max(whole - tokenizer.count(text), 0) if text != incoming.text else 0

    def _newest(self, recent: Sequence[Turn], room: int, who: Speakers) -> list[Turn]:
        tokenizer = self._model.tokenizer
        newest = budget.fit(reversed(recent), room, lambda turn: budget.message_cost(spoken(turn, who), tokenizer))
        return newest[::-1]

    def _fitting_summaries(self, recalled: Sequence[Recalled], room: int, incoming: Incoming) -> list[Recalled]:
        """Return the summaries that fit the message best, as many as are wanted and fit into the room."""
        history, zone, count = self._options.history, ZoneInfo(incoming.timezone), self._model.tokenizer.count
        shown = history.shown if history and (not self._options.small or _asks(incoming.text)) else 0
        wanted = [one for one in recalled if one.turn.role == "summary"][:shown]
        heading = 20  # tokens of what stands around them
        return budget.fit(wanted, room - heading, lambda one: 6 + count(_history([one], zone)))

    def _best(
        self, pool: Sequence[Recalled], window: Sequence[Turn], room: int, incoming: Incoming, who: Speakers
    ) -> list[Recalled]:
        """Return what helps most for the tokens it takes; what hardly helps is left out, what is said twice once."""
        least = LEAST_LIKELY_SMALL if self._options.small else LEAST_LIKELY
        best = max((one.score for one in pool), default=0.0)
        likely = {id(one): math.exp(SHARPNESS * (one.score - best)) for one in pool}
        unseen = [one for one in pool if one.turn not in window and likely[id(one)] > least]
        several = budget.distinct(unseen, lambda one: one.excerpt, (turn.text for turn in window))
        costs = {id(one): self._quoted([one], incoming, who) for one in several}
        return budget.choose(
            several,
            room,
            cost=lambda one: costs[id(one)],
            value=lambda one: likely[id(one)],
            most=self._options.recall,
        )

    def _quotable(self, one: Recalled, message: str) -> bool:
        """Tell whether quoting a turn may help: not where it is empty, or says what the message says already."""
        said = plain(one.excerpt).strip()
        if one.turn.role == "summary":  # what it is made of is recalled itself
            return False
        if not said or said == message.strip() or self._own(one.turn):
            return False
        return not self._options.small or (_asks(message) and not _asks(said))

    def _own(self, turn: Turn) -> bool:
        return self._options.small and turn.role == "assistant"

    def _spent(self, window: Sequence[Turn], who: Speakers) -> int:
        tokenizer = self._model.tokenizer
        return sum(budget.message_cost(spoken(turn, who), tokenizer) for turn in window)

    def _quoted(self, recalled: Sequence[Recalled], incoming: Incoming, who: Speakers) -> int:
        """Return the tokens of the recalled turns as they stand in the prompt, each with its line's overhead."""
        count = self._model.tokenizer.count
        zone = ZoneInfo(incoming.timezone)
        return sum(6 + count(f"{day(one.turn, zone)}, {who.name(one.turn)}: {quoted(one.excerpt)}") for one in recalled)

    def _cost(self, messages: Sequence[Message]) -> int:
        return budget.prompt_cost(messages, self._model.tokenizer)


def heard(incoming: Incoming) -> Turn:
    """Return the turn that an incoming message is."""
    return Turn(
        id=incoming.id,
        conversation=incoming.scope.conversation,
        person=incoming.scope.person,
        author=incoming.author,
        role="user",
        text=incoming.text,
        sent_at=incoming.sent_at,
    )


def replied(incoming: Incoming, text: str, status: Status, name: str) -> list[Turn]:
    """Return the turn that an answer is, said by the bot under a name; none where nothing was said."""
    text = readable(text)
    if not text.strip():
        return []
    said = Turn(
        id=answer_id(incoming.id),
        conversation=incoming.scope.conversation,
        person=BOT,
        author=name,
        role="assistant",
        text=text,
        sent_at=max(time.time_ns() // 1_000_000, incoming.sent_at + 1),
        status=status,
        to=incoming.scope.person,
    )
    return [said]


def _asker(incoming: Incoming, who: Speakers) -> str:
    return who.names[incoming.scope.person, incoming.author]


def day(turn: Turn, zone: ZoneInfo) -> str:
    """Return when a turn was said, as a person would write it: '8 May 2023'."""
    moment = datetime.fromtimestamp(turn.sent_at / 1000, zone)
    return f"{moment.day} {moment:%B} {moment.year}"


def _history(told: Sequence[Recalled], zone: ZoneInfo) -> str:
    """Return summaries as lines by time, each with the day of the last that it tells of: '- 8 May 2023: "..."'."""
    ordered = sorted(told, key=lambda one: one.turn.sent_at)
    return "\n".join(f"- {day(one.turn, zone)}: {quoted(one.turn.text)}" for one in ordered)


def _asks(text: str) -> bool:
    return text.rstrip().endswith("?")


def _window(turn: Turn, who: Speakers) -> Message:
    """Return a turn of the window as a message."""
    return Message("user" if turn.role == "user" else "assistant", spoken(turn, who))
