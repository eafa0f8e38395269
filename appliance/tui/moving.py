"""Moving about: where the cursor is, what it is on, and where that leads."""

from __future__ import annotations

import time

from .facts import state as breaker_state
from .scene import HOLD, VIEWS
from .stage import Stage
from .tables import Item, ordered
from .views import tap, upstreams


class Moving(Stage):
    """The part of the application that moves the cursor."""

    def action_view(self, number: int) -> None:
        """Show another view."""
        if 1 <= number <= len(VIEWS):
            self.ui.view = number
            self.ui.whole = False
            self.ui.moved_at = -HOLD
            self.take()
            self.draw()

    def items(self) -> list[Item]:
        """Give the things in the list of the view, in their order."""
        scene = self.scene()
        view = self.ui.view
        if view in (1, 3):
            return upstreams.tree(scene, view)
        if view == 5:
            return tap.rows(scene)
        kind = {2: "br", 4: "rt"}.get(view)
        return ordered(scene, kind, view) if kind is not None else []

    def chosen(self) -> Item | None:
        """Give the thing that the cursor is on."""
        rows = self.items()
        wanted = self.ui.cursor.get(self.ui.view)
        return next((item for item in rows if item[0] == wanted), rows[0] if rows else None)

    def move(self, step: int, *, to: int | None = None) -> None:
        """Move the cursor by so many things, or to one."""
        view = self.ui.view
        keys = [key for key, _ in self.items()]
        if view == 6:
            keys = [str(index) for index in range(len(self.model.events) + 100)]
        if not keys:
            return
        wanted = self.ui.cursor.get(view)
        at = keys.index(wanted) if wanted in keys else 0
        at = to if to is not None else at + step
        self.ui.cursor[view] = keys[max(0, min(len(keys) - 1, at % len(keys) if to is not None else at))]
        self.ui.moved_at = time.monotonic()
        self.draw()

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.move(step)

    def action_page(self, step: int) -> None:
        """Move the cursor by a page."""
        self.move(step * max(1, self.canvas.size.height - 10))

    def action_end(self, last: bool) -> None:
        """Move the cursor to the first or the last."""
        self.move(0, to=-1 if last else 0)

    def action_side(self, step: int) -> None:
        """Fold or unfold, or move between cards."""
        if self.ui.view in (1, 3):
            found = self.chosen()
            if found is not None:
                name = str(found[1].get("up", found[0])) if found[1].get("kind") == "ep" else found[0]
                (self.ui.folded.add if step < 0 else self.ui.folded.discard)(name)
                (self.ui.unfolded.discard if step < 0 else self.ui.unfolded.add)(name)
                self.ui.cursor[self.ui.view] = name
                self.draw()
        else:
            self.move(step)

    def action_inspect(self) -> None:
        """Look at what the cursor is on in its own view."""
        found = self.chosen()
        if self.ui.view == 1 and found is not None:
            key = found[0]
            breakers = self.model.things("br")
            if key in breakers and breaker_state(breakers[key]) != "closed":
                self.ui.cursor[2] = key
                self.action_view(2)
            else:
                self.ui.cursor[3] = key
                self.action_view(3)
        elif self.ui.view == 2:
            self.ui.whole = not self.ui.whole
            self.draw()
        elif self.ui.view == 3 and found is not None and found[0] in self.model.things("br"):
            self.ui.cursor[2] = found[0]
            self.action_view(2)
