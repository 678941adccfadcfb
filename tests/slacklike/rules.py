"""Limits and durations, Slack's own unless a test changes them."""

from dataclasses import dataclass


@dataclass
class Rules:
    """Durations are in seconds."""

    events: frozenset[str] | None = None  # what the app subscribes to, as manifests name it; None for everything
    commands: frozenset[str] | None = None  # such as "/ask"; None for any
    ack_within: float = 3.0
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)  # from one failed delivery of an event to the next
    sockets: int = 10  # of one app
    connection_time: int = 3600  # what hello says; the sockets stay open until a test asks for a refresh
    ticket_life: float = 30.0  # of a WebSocket address (an assumption; Slack says only that it is for one use)
    close_after: float = 0.2  # from "refresh_requested" to the end of the socket (Slack: about ten seconds)
    ping_every: float = 10.0
    stream_life: float = 300.0  # measured by many, documented nowhere
    agent: bool = True  # whether the app is one, with sessions; else it has the older assistant view
    thread_required: bool = True  # by chat.startStream; lately Slack streams at the top of channels too
    trigger_life: float = 3.0
    response_life: float = 1800.0  # of a response_url, which is good for `response_uses`
    response_uses: int = 5
    distributed: bool = False  # history then gives `history_items` at most, once a minute
    history_items: int = 15
    rotation: bool = False  # of tokens: they expire, and are refreshed
    token_life: int = 43_200
    code_life: float = 600.0  # of an OAuth code
    redirect_uri: str = "http://127.0.0.1/slack/oauth_redirect"
    markdown_characters: int = 12_000
    block_characters: int = 13_200  # of all blocks of a message: https://github.com/slackapi/bolt-js/issues/2509
    text_characters: int = 40_000  # longer texts are cut
    update_characters: int = 4_000  # chat.update refuses longer texts
