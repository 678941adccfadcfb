"""auth.*, users.*, team.*, bots.*, apps.*: who is who."""

from tests.slacklike import payloads
from tests.slacklike.places import Places
from tests.slacklike.records import Json
from tests.slacklike.refusals import Refused
from tests.slacklike.web_api import Call, Method, page
from tests.slacklike.world import World


class PeopleMethods:
    """Handlers for people, workspaces and the app itself."""

    def __init__(self, world: World, places: Places) -> None:
        self.world, self.places = world, places

    def methods(self) -> dict[str, Method]:
        return {
            "auth.test": Method(self.test),
            "auth.revoke": Method(self.revoke),
            "apps.uninstall": Method(self.uninstall),
            "users.info": Method(self.info, "users:read"),
            "users.list": Method(self.list, "users:read"),
            "team.info": Method(self.team, "team:read"),
            "bots.info": Method(self.bot, "users:read"),
        }

    def test(self, call: Call) -> Json:
        install, team = call.install, call.install.team
        who: Json = {"url": f"https://{team.domain}.slack.com/", "team": team.name, "team_id": team.id}
        who |= {"user": install.bot.name, "user_id": install.bot.id, "bot_id": install.bot.bot_id}
        who |= {"is_enterprise_install": install.org_wide}
        if install.org_wide:
            who |= {"team_id": team.enterprise, "team": "Enterprise", "url": "https://enterprise.enterprise.slack.com/"}
        return who | ({"enterprise_id": team.enterprise} if team.enterprise else {})

    def revoke(self, call: Call) -> Json:
        """Revoke the token; with the last good one the app is out of the workspace."""
        if call.flag("test"):
            return {"revoked": False}
        app = self.world.app
        app.revoke(call.install, "token_revoked", only=call.token)
        if not any(app.is_good(token.text) for token in call.install.tokens):
            self.places.uninstall(call.install.team)
        return {"revoked": True}

    def uninstall(self, call: Call) -> None:
        app = self.world.app
        if call.args.get("client_id") != app.client_id:
            raise Refused("invalid_client_id")
        if call.args.get("client_secret") != app.client_secret:
            raise Refused("bad_client_secret")
        self.places.uninstall(call.install.team)

    def info(self, call: Call) -> Json:
        person = self.world.people.get(str(call.args.get("user")))
        if person is None:
            raise Refused("user_not_found")
        stranger = self.world.is_stranger(person, call.install)
        near = person.team if person.team in call.install.teams else call.install.team
        return {"user": payloads.user(person, seen_from=near, stranger=stranger)}

    def list(self, call: Call) -> Json:
        team = self.world.named(call.install, call.args.get("team_id"))
        people, cursor = page([one for one in self.world.people.values() if one.team is team], call)
        members = [payloads.user(person, seen_from=team) for person in people]
        return {"members": members, "response_metadata": {"next_cursor": cursor}}

    def team(self, call: Call) -> Json:
        team = self.world.teams.get(str(call.args.get("team") or call.install.team.id))
        if team is None:
            raise Refused("team_not_found")
        return {"team": payloads.team(team)}

    def bot(self, call: Call) -> Json:
        wanted = call.args.get("bot") or call.install.bot.bot_id
        bot = next((one for one in self.world.people.values() if one.bot_id and one.bot_id == wanted), None)
        if bot is None:
            raise Refused("bot_not_found")
        mine = any(bot is one.bot for one in self.world.app.installs)
        app_id = self.world.app.id if mine else "A0OTHER"
        return {"bot": {"id": bot.bot_id, "deleted": False, "name": bot.name, "user_id": bot.id, "app_id": app_id}}
