"""What is counted and timed, for Prometheus. No label ever names a person, a channel or a guild."""

import platform as machine
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.records import Tokens

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus's own text format

# How an answer ended. repeated: the message had been answered, or is being answered by another process.
Outcome = Literal["answered", "cut", "stopped", "failed", "undelivered", "repeated"]

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300)
MEMORY_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one message took. Seconds since it was taken up; None where nothing was shown.

    memory: the part of the seconds that went into recalling. tokens: None where there is no whole answer.
    """

    platform: str
    outcome: Outcome
    seconds: float
    first_sign: float | None = None
    memory: float = 0.0
    tokens: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Socket:
    """A connection that events come in by. name: such as a shard's number. age: seconds since its last heartbeat."""

    name: str
    fresh: bool
    age: float


class Metrics:
    """One process's figures."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._messages = Counter(
            "lorebot_messages", "Messages addressed to the bot, by outcome", ["platform", "outcome"], registry=registry
        )
        self._first_sign = Histogram(
            "lorebot_first_sign_seconds",
            "From taking up a message to the first thing that is shown",
            ["platform"],
            buckets=SECONDS,
            registry=registry,
        )
        self._answers = Histogram(
            "lorebot_answer_seconds",
            "From taking up a message to the end of its answer",
            ["platform"],
            buckets=SECONDS,
            registry=registry,
        )
        self._memory = Histogram(
            "lorebot_memory_seconds",
            "The part of an answer's time that recalling took",
            ["platform"],
            buckets=MEMORY_SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "lorebot_tokens", "Tokens of whole answers: prompt or completion", ["platform", "kind"], registry=registry
        )
        self._limits = Counter(
            "lorebot_rate_limits", "Requests that the platform refused with 429", ["platform"], registry=registry
        )
        self._now = _Now()
        registry.register(self._now)
        ProcessCollector(registry=registry)
        Info("lorebot_build", "What runs here", registry=registry).info(
            {"version": version("lorebot"), "python": machine.python_version()}
        )

    def answered(self, taken: Taken) -> None:
        """Count a message whose answer is over, however it ended; times are those of whole answers."""
        self._messages.labels(taken.platform, taken.outcome).inc()
        if taken.first_sign is not None:
            self._first_sign.labels(taken.platform).observe(taken.first_sign)
        if taken.outcome not in ("answered", "cut"):
            return
        self._answers.labels(taken.platform).observe(taken.seconds)
        self._memory.labels(taken.platform).observe(taken.memory)
        if taken.tokens is not None:
            self._tokens.labels(taken.platform, "prompt").inc(taken.tokens.prompt)
            self._tokens.labels(taken.platform, "completion").inc(taken.tokens.completion)

    def limited(self, platform: str) -> None:
        """Count a request that the platform refused with 429."""
        self._limits.labels(platform).inc()

    def serves(self, platform: str, sockets: Callable[[], Iterable[Socket]], conversations: Callable[[], int]) -> None:
        """Show a platform's sockets, and how many conversations wait for an answer, as they are when asked."""
        self._now.platforms[platform] = (sockets, conversations)

    def page(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self._registry)


class _Now(Collector):
    """What is read when somebody asks."""

    def __init__(self) -> None:
        self.platforms: dict[str, tuple[Callable[[], Iterable[Socket]], Callable[[], int]]] = {}

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("lorebot_socket_up", "Whether heartbeats are answered", labels=["platform", "socket"])
        age = GaugeMetricFamily(
            "lorebot_heartbeat_age_seconds", "Since a heartbeat was last answered", labels=["platform", "socket"]
        )
        waiting = GaugeMetricFamily(
            "lorebot_conversations_waiting", "Conversations in which an answer is awaited", labels=["platform"]
        )
        for platform, (sockets, conversations) in self.platforms.items():
            waiting.add_metric([platform], conversations())
            for socket in sockets():
                up.add_metric([platform, socket.name], float(socket.fresh))
                age.add_metric([platform, socket.name], socket.age)
        yield from (up, age, waiting)
