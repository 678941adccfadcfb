"""The Redis user whom passed-on commands run as: everything but memory is theirs, and nothing of the server.

Redis' access rules only allow. "Every key that does not begin with lore" is therefore told by what such keys begin
with: ~[^l]* ~l ~l[^o]* ~lo ... and ~ for the empty key. Redis itself holds to them wherever a command comes from:
in a script, in SORT's GET, in a transaction.
"""

import hashlib
import secrets
import time

import redis.asyncio
from pydantic import SecretStr
from redis import exceptions
from ulid import ULID

from memory.batch import command, explained
from memory.errors import RedisError

STALE = 60.0  # seconds; a younger user may belong to a gateway that is about to connect

# Kinds of commands all of whose keys Redis knows, so that it can hold to the rules.
_KINDS = "string hash list set sortedset stream bitmap hyperloglog geo keyspace pubsub transaction scripting connection"
_SERVER = "admin dangerous"
# Taken from those kinds. These would name memory's keys, reach beyond the client, or change whom it is.
_TAKEN = """
    scan keys randomkey script function client|kill client|list client|pause client|unpause client|unblock
    client|tracking client|caching client|no-evict client|reply
"""
_GIVEN = "sort sort_ro restore info time echo lolwut object memory|usage script|load script|exists command wait waitaof"
# Of the modules, commands on one key of their own kind, and those on several where Redis knows them all.
_MODULES = (
    "json.arrappend json.arrindex json.arrinsert json.arrlen json.arrpop json.arrtrim json.clear json.del json.forget "
    "json.get json.merge json.mget json.mset json.numincrby json.nummultby json.numpowby json.objkeys json.objlen "
    "json.resp json.set json.strappend json.strlen json.toggle json.type "
    "vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vrem vsetattr vsim"
)
_SEVERAL = {"json.mget": ("{}", "{}", "$"), "json.mset": ("{}", "$", "1", "{}", "$", "1")}


def patterns(prefix: str) -> list[str]:
    """Return the patterns that match every key but those that begin with `prefix`."""
    found = ["~"]
    for number, letter in enumerate(prefix):
        start = _literal(prefix[:number])
        if number:
            found.append(f"~{start}")
        found.append(f"~{start}[^{_literal(letter)}]*")
    return found


def _literal(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\*?[]^-" else letter for letter in text)


class Guest:
    """A Redis user of a gateway's own, made at its start and deleted at its end."""

    def __init__(self, client: "redis.asyncio.Redis", namespace: str) -> None:
        """Name the user; nothing is made yet. client: of an operator, who may make users."""
        self._client = client
        self._namespace = namespace
        self._password = SecretStr(secrets.token_hex(32))
        self.name = f"{namespace}-gateway-{ULID()}"

    async def make(self) -> None:
        """Make the user, or make it again after Redis forgot it.

        Raises RedisError where Redis does not let us, RedisUnavailable where it does not answer.
        """
        digest = hashlib.sha256(self.secret).hexdigest()  # the password itself would show in MONITOR
        try:
            known = {name.decode().lower() for name in await command(self._client, "COMMAND LIST")}
            rules = [
                *("reset", "on", f"#{digest}", *patterns(self._namespace), "allchannels", "-@all"),
                *(f"+@{kind}" for kind in _KINDS.split()),
                *(f"-@{kind}" for kind in _SERVER.split()),
                *(f"-{name}" for name in _TAKEN.split() if name.partition("|")[0] in known),
                *(f"+{name}" for name in _GIVEN.split() if name.partition("|")[0] in known),
                *(f"+{name}" for name in _MODULES.split() if name in known),
            ]
            await command(self._client, "ACL", "SETUSER", self.name, *rules)
            for name in _SEVERAL.keys() & known:
                if await self._reads_memory(name):
                    await command(self._client, "ACL", "SETUSER", self.name, f"-{name}")
        except (exceptions.NoPermissionError, exceptions.ResponseError) as error:
            raise RedisError(
                f"Redis does not let the gateway make a user ({error}); it keeps clients away from memory. Give the "
                "user in REDIS_URL +acl and +@all, or use a Redis of your own (version 7 or newer) instead of a "
                "hosted one that keeps ACL to itself"
            ) from error
        except exceptions.RedisError as error:
            raise explained(error) from error

    @property
    def secret(self) -> bytes:
        """The password that the gateway logs in with."""
        return self._password.get_secret_value().encode()

    async def _reads_memory(self, name: str) -> bool:
        """Tell whether Redis overlooks the later keys of a command, as RedisJSON before 8 has it."""
        places = ["elsewhere" if self._namespace != "elsewhere" else "other", f"{self._namespace}:x"]
        given = [places.pop(0) if word == "{}" else word for word in _SEVERAL[name]]
        answer = await command(self._client, "ACL", "DRYRUN", self.name, name, *given)
        return bool(answer == b"OK" or answer == "OK")

    async def delete(self) -> None:
        """Delete the user, and with it every connection that it has."""
        try:
            await command(self._client, "ACL", "DELUSER", self.name)
        except exceptions.RedisError as error:
            raise explained(error) from error

    async def sweep(self) -> None:
        """Delete the users that gateways left behind when they were killed: those whom no client is."""
        try:
            names = [name.decode() for name in await command(self._client, "ACL", "USERS")]
            clients = (await command(self._client, "CLIENT", "LIST")).decode(errors="replace").split()
            present = {word.removeprefix("user=") for word in clients if word.startswith("user=")}
            start = f"{self._namespace}-gateway-"
            left = [one for one in names if one.startswith(start) and one not in present and _old(one, start)]
            if left:
                await command(self._client, "ACL", "DELUSER", *left)
        except exceptions.RedisError as error:
            raise explained(error) from error


def _old(name: str, start: str) -> bool:
    try:
        return ULID.from_str(name.removeprefix(start)).timestamp < time.time() - STALE
    except ValueError:
        return False  # a user of somebody else's
