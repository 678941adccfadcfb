"""views.*: modals and Home tabs."""

from tests.slacklike import payloads
from tests.slacklike.forms import check_view
from tests.slacklike.records import Json, View
from tests.slacklike.refusals import Refused
from tests.slacklike.views import Views
from tests.slacklike.web_api import Call, Method
from tests.slacklike.world import World


class ViewMethods:
    """Handlers for views."""

    def __init__(self, world: World, views: Views) -> None:
        self.world, self.views = world, views

    def methods(self) -> dict[str, Method]:
        return {
            "views.open": Method(self.open),
            "views.push": Method(self.push),
            "views.update": Method(self.update),
            "views.publish": Method(self.publish),
        }

    def open(self, call: Call) -> Json:
        check_view(call.args.get("view"), self.world.rules, kind="modal")
        person = self.views.triggered(call.args.get("trigger_id"))
        return self._shown(call, self.views.open(person, call.args["view"]))

    def push(self, call: Call) -> Json:
        check_view(call.args.get("view"), self.world.rules, kind="modal")
        person = self.views.triggered(call.args.get("trigger_id"))
        stack = self.views.stack(person)
        if not stack:
            raise Refused("not_found")
        return self._shown(call, self.views.open(person, call.args["view"], over=stack[-1]))

    def update(self, call: Call) -> Json:
        view = self.views.find(str(call.args.get("view_id") or ""), str(call.args.get("external_id") or ""))
        check_view(call.args.get("view"), self.world.rules, kind=view.data["type"])
        self.views.change(view, call.args["view"], str(call.args.get("hash") or ""))
        return self._shown(call, view)

    def publish(self, call: Call) -> Json:
        check_view(call.args.get("view"), self.world.rules, kind="home")
        person = self.world.people.get(str(call.args.get("user_id")))
        if person is None:
            raise Refused("invalid_arguments")
        return self._shown(call, self.views.publish(person, call.args["view"], str(call.args.get("hash") or "")))

    def _shown(self, call: Call, view: View) -> Json:
        return {"view": payloads.view(view, self.world.app.id, call.install.bot)}
