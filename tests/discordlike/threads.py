"""How threads start."""

from tests.discordlike import payloads
from tests.discordlike.records import Channel, Kind, Message, Person
from tests.discordlike.talk import THREAD_CREATED, THREAD_STARTER, Draft, Talk


def start(
    talk: Talk, parent: Channel, name: str, by: Person, *, message: Message | None = None, private: bool = False
) -> Channel:
    """Start a thread, at a message or by itself; a thread at a message has that message's id."""
    world = talk.world
    kind = Kind.PRIVATE_THREAD if private else Kind.NEWS_THREAD if parent.kind == Kind.NEWS else Kind.PUBLIC_THREAD
    thread = Channel(message.id if message else world.ids.next(), kind, name, parent.guild, parent, owner=by)
    thread.people[by.id] = by
    world.channels[thread.id] = thread
    world.emit("THREAD_CREATE", payloads.channel(thread, world.me) | {"newly_created": True}, thread)
    if message is not None:
        message.thread = thread
        message.flags |= 1 << 5
        talk.updated(message)
        starter = Draft(reply_to=message.id, reference_channel=parent.id, type=THREAD_STARTER)
        talk.post(thread, message.author, starter)
        thread.people = {by.id: by}
    elif not private:
        talk.post(parent, by, Draft(text=name, type=THREAD_CREATED))
    return thread
