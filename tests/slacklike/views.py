"""Modals and Home tabs: a person has one Home tab, and a stack of up to three modals."""

import time

from tests.slacklike.records import Ids, Json, Person, View
from tests.slacklike.refusals import Refused
from tests.slacklike.rules import Rules

DEEPEST = 3


class Views:
    """Every view there is, and the triggers that open them."""

    def __init__(self, rules: Rules, ids: Ids) -> None:
        self.rules, self.ids = rules, ids
        self.all: dict[str, View] = {}
        self.homes: dict[str, View] = {}  # by person
        self.stacks: dict[str, list[View]] = {}  # of modals, by person
        self._triggers: dict[str, tuple[Person, float]] = {}
        self._used: set[str] = set()

    def trigger(self, person: Person) -> str:
        trigger = f"1.2.{self.ids.next('t')}"
        self._triggers[trigger] = (person, time.monotonic())
        return trigger

    def triggered(self, trigger: object) -> Person:
        """Return who gave a trigger, which is for one use, within three seconds."""
        person, made_at = self._triggers.get(str(trigger), (None, 0.0))
        if person is None:
            raise Refused("invalid_trigger_id")
        if trigger in self._used:
            raise Refused("exchanged_trigger_id")
        if time.monotonic() - made_at > self.rules.trigger_life:
            raise Refused("expired_trigger_id")
        self._used.add(str(trigger))
        return person

    def stack(self, person: Person) -> list[View]:
        return self.stacks.setdefault(person.id, [])

    def top(self, person: Person) -> View:
        """Return the modal that a person looks at; raises LookupError when none is open."""
        if not self.stack(person):
            raise LookupError(f"{person.name} has no modal open")
        return self.stack(person)[-1]

    def open(self, person: Person, data: Json, *, over: View | None = None) -> View:
        """Show a modal: a new stack, or one more on the present."""
        if over is None:
            self.stack(person).clear()
        elif len(self.stack(person)) >= DEEPEST:
            raise Refused("push_limit_reached")
        view = self._new(person, data, over)
        self.stack(person).append(view)
        return view

    def publish(self, person: Person, data: Json, hash_: str) -> View:
        """Show a Home tab in place of the present one."""
        present = self.homes.get(person.id)
        if present is not None:
            self.change(present, data, hash_)
            return present
        view = self.homes[person.id] = self._new(person, data, None)
        return view

    def find(self, view_id: str, external_id: str) -> View:
        for view in self.all.values():
            if view.id == view_id or (external_id and view.data.get("external_id") == external_id):
                return view
        raise Refused("not_found")

    def change(self, view: View, data: Json, hash_: str = "") -> None:
        """Replace a view; what is typed stays in blocks that keep their ids."""
        if hash_ and hash_ != view.hash:
            raise Refused("hash_conflict")
        kept = {block["block_id"] for block in _with_ids(data).get("blocks", []) if "block_id" in block}
        view.values = {name: state for name, state in view.values.items() if name in kept}
        view.data, view.hash, view.errors = data, self.ids.next("h"), {}

    def pop(self, view: View) -> None:
        if view in self.stack(view.person):
            self.stack(view.person).remove(view)

    def clear(self, person: Person) -> None:
        self.stack(person).clear()

    def _new(self, person: Person, data: Json, over: View | None) -> View:
        view = View(self.ids.next("V"), person.team, person, _with_ids(data), self.ids.next("h"), "")
        view.root = over.root if over is not None else view.id
        view.previous = over.id if over is not None else ""
        self.all[view.id] = view
        return view


def _with_ids(data: Json) -> Json:
    """Give every block an id that has none, as Slack does."""
    for at, block in enumerate(data.get("blocks") or []):
        block.setdefault("block_id", f"b{at}")
    return data
