"""AUTH and HELLO: who may talk to the gateway, and in which version of the protocol."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from bot.resp import replies

WRONG = replies.error("invalid username-password pair or user is disabled.", "WRONGPASS")
REQUIRED = replies.error("Authentication required.", "NOAUTH")
NOT_YET = replies.error(
    "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option "
    "can be used to authenticate the client and select the RESP protocol version at the same time",
    "NOAUTH",
)
_SYNTAX = replies.error("syntax error")
_NO_PASSWORD = replies.error(
    "AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_NAME = replies.error("Client names cannot contain spaces, newlines or special characters.")


@dataclass(frozen=True, slots=True)
class Hello:
    """What a HELLO asks for."""

    protocol: int
    login: tuple[bytes, bytes] | None = None
    name: bytes | None = None


def auth(arguments: Sequence[bytes], password: SecretStr | None) -> bytes | None:
    """Return the error that AUTH has to answer; None: the client is let in."""
    if len(arguments) not in (1, 2):
        return replies.error("wrong number of arguments for 'auth' command") if not arguments else _SYNTAX
    if len(arguments) == 1 and password is None:
        return _NO_PASSWORD
    user = arguments[0] if len(arguments) == 2 else b"default"
    return None if right(user, arguments[-1], password) else WRONG


def right(user: bytes, given: bytes, password: SecretStr | None) -> bool:
    """Tell whether a login fits, in a time that does not tell how nearly it does."""
    if password is None:
        return user == b"default"
    fits = hmac.compare_digest(given, password.get_secret_value().encode())
    return fits and user == b"default"


def hello(arguments: Sequence[bytes], protocol: int) -> Hello | bytes:
    """Read the arguments of HELLO, or return the error; `protocol` is what is spoken so far."""
    if not arguments:
        return Hello(protocol)
    if not arguments[0].isdigit():
        return replies.error("Protocol version is not an integer or out of range")
    if arguments[0] not in (b"2", b"3"):
        return replies.error("unsupported protocol version", "NOPROTO")
    login, name, rest = None, None, list(arguments[1:])
    while rest:
        option = rest.pop(0).upper()
        if option == b"AUTH" and len(rest) >= 2:
            login = (rest.pop(0), rest.pop(0))
        elif option == b"SETNAME" and rest:
            name = rest.pop(0)
            if not printable(name):
                return _NAME
        else:
            return replies.error(f"Syntax error in HELLO option '{option.decode(errors='replace').lower()}'")
    return Hello(int(arguments[0]), login, name)


def printable(name: bytes) -> bool:
    """Tell whether Redis takes this as a client's name."""
    return all(33 <= byte <= 126 for byte in name)
