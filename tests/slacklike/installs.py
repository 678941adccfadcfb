"""The app, the workspaces it is installed in, and the tokens it has there."""

import itertools
import time
from dataclasses import dataclass, field

from tests.slacklike.records import Json, Person, Team
from tests.slacklike.refusals import Refused
from tests.slacklike.rules import Rules


@dataclass(eq=False)
class Token:
    """A bot token; `why_not` is the error it gets once it is good for nothing."""

    text: str
    install: "Install"
    expires: float | None = None  # of time.time
    why_not: str = ""


@dataclass(eq=False)
class Install:
    """The app in a workspace, with its bot user there; `scopes` of None are all.

    org_wide: an organisation has it for its workspaces, of which `team` is one; granted are those that it was let into.
    """

    team: Team
    bot: Person
    by: Person
    scopes: frozenset[str] | None = None
    tokens: list[Token] = field(default_factory=list)
    refresh: str = ""
    gone: bool = False
    org_wide: bool = False
    granted: list[Team] = field(default_factory=list)

    @property
    def teams(self) -> list[Team]:
        """The workspaces that it serves."""
        return self.granted if self.org_wide else [self.team]

    @property
    def token(self) -> str:
        """The newest token."""
        return self.tokens[-1].text


@dataclass
class Code:
    """An OAuth code, for one use."""

    install: Install
    redirect_uri: str
    expires: float
    used: bool = False


class App:
    """What Slack knows of the app: its secrets and where it is installed."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.id = "A0LOREBOT"
        self.client_id, self.client_secret = "1111.2222", "c" * 32
        self.signing_secret = "5" * 32
        self.token = f"xapp-1-{self.id}-3333-{'a' * 64}"  # app-level, for Socket Mode
        self.installs: list[Install] = []
        self.codes: dict[str, Code] = {}
        self._tokens: dict[str, Token] = {}
        self._serials = itertools.count(1)

    def at(self, team: Team) -> Install | None:
        """Return the installation in a workspace, if there is one now."""
        return next((one for one in self.installs if team in one.teams and not one.gone), None)

    def add(self, install: Install) -> Install:
        self.installs.append(install)
        self.issue(install)
        return install

    def issue(self, install: Install) -> Token:
        """Give an installation a new token, which expires if tokens are rotated."""
        serial = next(self._serials)
        prefix = "xoxe.xoxb-1-" if self.rules.rotation else "xoxb-"
        token = Token(f"{prefix}{install.team.id}-{serial}-{'b' * 24}", install)
        if self.rules.rotation:
            token.expires = time.time() + self.rules.token_life
            install.refresh = f"xoxe-1-{install.team.id}-{serial}-{'r' * 24}"
        install.tokens.append(token)
        self._tokens[token.text] = token
        return token

    def allow(self, install: Install, redirect_uri: str) -> str:
        """Return a code for somebody who allowed the app."""
        code = f"{next(self._serials)}.{'d' * 24}"
        self.codes[code] = Code(install, redirect_uri, time.time() + self.rules.code_life)
        return code

    def who(self, text: str | None) -> Install:
        """Return whose token this is; raises not_authed, invalid_auth, token_expired, account_inactive, ..."""
        if not text:
            raise Refused("not_authed")
        if text.startswith("xapp-"):
            raise Refused("not_allowed_token_type" if text == self.token else "invalid_auth")
        token = self._tokens.get(text)
        if token is None:
            raise Refused("invalid_auth")
        if token.why_not:
            raise Refused(token.why_not)
        if token.expires is not None and time.time() > token.expires:
            raise Refused("token_expired")
        return token.install

    def is_good(self, text: str) -> bool:
        try:
            self.who(text)
        except Refused:
            return False
        return True

    def revoke(self, install: Install, why_not: str, *, only: str = "") -> None:
        """Make tokens worthless: all of an installation, or one."""
        for token in install.tokens:
            if only in ("", token.text) and not token.why_not:
                token.why_not = why_not
        install.refresh = "" if not only else install.refresh

    def exchange(self, client_id: str, client_secret: str, call: Json) -> Json:
        """Answer oauth.v2.access: a code, or a refresh token, for a token."""
        if client_id != self.client_id:
            raise Refused("invalid_client_id")
        if client_secret != self.client_secret:
            raise Refused("bad_client_secret")
        if call.get("grant_type", "authorization_code") == "refresh_token":
            return self._granted(self._refreshed(call.get("refresh_token") or ""))
        if "grant_type" in call and call["grant_type"] != "authorization_code":
            raise Refused("invalid_grant_type")
        code = self.codes.get(call.get("code") or "")
        if code is None or time.time() > code.expires:
            raise Refused("invalid_code")
        if code.used:
            raise Refused("code_already_used")
        if call.get("redirect_uri") not in (None, "", code.redirect_uri):
            raise Refused("bad_redirect_uri")
        code.used = True
        if code.install not in self.installs:
            self.installs.append(code.install)
        if not code.install.tokens or self.rules.rotation:
            self.issue(code.install)
        return self._granted(code.install)

    def _refreshed(self, refresh: str) -> Install:
        """Take a refresh token, which is for one use; the older access token lives on until it expires."""
        install = next((one for one in self.installs if refresh and one.refresh == refresh), None)
        if install is None:
            raise Refused("invalid_refresh_token")
        self.issue(install)
        return install

    def _granted(self, install: Install) -> Json:
        token, team = install.tokens[-1], install.team
        granted: Json = {"app_id": self.id, "access_token": token.text, "token_type": "bot"}
        granted |= {"scope": ",".join(sorted(install.scopes or ())), "bot_user_id": install.bot.id}
        one = None if install.org_wide else {"id": team.id, "name": team.name}
        granted |= {"team": one, "is_enterprise_install": install.org_wide}
        granted |= {"enterprise": {"id": team.enterprise, "name": "Enterprise"} if team.enterprise else None}
        granted |= {"authed_user": {"id": install.by.id}}
        if token.expires is not None:
            granted |= {"refresh_token": install.refresh, "expires_in": self.rules.token_life}
        return granted
