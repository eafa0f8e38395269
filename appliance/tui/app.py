"""The dashboard: what its keys mean. It places one canvas; all else is a dialog over it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from appliance.wire.filter import FilterError, things_filter

from .canvas import Canvas
from .chrome import WIDE
from .keeping import Keeping
from .keys import BINDINGS, GROUPS, KEY_NAMES
from .modals import ORDERS, Choice, Help
from .render import screen
from .rows import plain
from .scene import HOLD, VIEWS
from .tapped import wrong


class Top(Keeping):
    """The application."""

    CSS = """
    #filter, #goto { dock: bottom; height: 1; border: none; padding: 0 1; display: none; }
    #filter.shown, #goto.shown { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = list(BINDINGS)
    ENABLE_COMMAND_PALETTE = True
    TITLE = "meshctl"

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Give what the keys do by name, for the command palette."""
        for number, name in enumerate(VIEWS, 1):
            yield SystemCommand(f"view {name}", f"key {number}", partial(self.action_view, number))
        for title, group in GROUPS[1:]:
            for key, action, text, _ in group:
                if action != "command_palette":
                    yield SystemCommand(
                        text, f"{title}: key {KEY_NAMES.get(key, key)}", partial(self.run_action, action)
                    )

    def action_filter(self) -> None:
        """Ask for a filter."""
        field = self.query_one("#filter", Input)
        field.value = self.tap.match if self.ui.view == 5 else self.ui.filters.get(self.ui.view, "")
        field.add_class("shown")
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Try a filter while it is typed."""
        if event.input.id != "filter":
            return
        if self.ui.view == 5:
            self.say(wrong(event.value))
            return
        try:
            things_filter(event.value)
        except FilterError as error:
            self.ui.echo = f"column {error.column + 1}: {error}"
        else:
            self.ui.filters[self.ui.view] = event.value
            self.ui.echo = ""
        self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        if event.input.id == "goto":
            self.close_fields()
            self.goto(event.value)
        elif event.input.id == "filter":
            self.close_fields()
            if self.ui.view == 5:
                self.start_tap(event.value)

    def close_fields(self) -> None:
        """Go back to the list."""
        for field in self.query(Input):
            field.remove_class("shown")
        self.canvas.focus()
        self.draw()

    def action_out(self) -> None:
        """Leave the field of the filter, clear the filter, or go back to the overview."""
        if self.query_one("#filter", Input).has_focus:
            self.ui.filters.pop(self.ui.view, None)
            self.close_fields()
        elif self.query_one("#goto", Input).has_focus:
            self.close_fields()
        elif self.ui.whole:
            self.ui.whole = False
        elif self.ui.filters.pop(self.ui.view, ""):
            self.say("the filter is gone")
        elif self.ui.view != 1:
            self.action_view(1)
        self.draw()

    def action_trouble(self) -> None:
        """Hide what is all right, or show it again."""
        self.ui.trouble = not self.ui.trouble
        self.say("only trouble is shown: ! shows everything" if self.ui.trouble else "everything is shown")

    def action_freeze(self) -> None:
        """Hold the order of lines, or let it go."""
        self.ui.frozen = not self.ui.frozen
        self.say("the order stays as it is: F lets it go" if self.ui.frozen else "trouble comes first again")

    def action_mode(self) -> None:
        """Cards or a table."""
        wide = self.canvas.size.width >= WIDE
        self.ui.table = not (self.ui.table if self.ui.table is not None else not wide)
        self.draw()

    def action_reverse(self) -> None:
        """Turn the order round."""
        column, backwards = self.ui.sort.get(self.ui.view, ("", False))
        self.ui.sort[self.ui.view] = (column, not backwards)
        self.ui.order.pop(self.ui.view, None)
        self.draw()

    def action_sort(self) -> None:
        """Choose the column that a list is sorted by."""

        def chose(column: str | None) -> None:
            if column is not None:
                self.ui.sort[self.ui.view] = (column, False)
                self.ui.order.pop(self.ui.view, None)
                self.ui.moved_at = -HOLD
                self.draw()

        self.push_screen(Choice("order", ORDERS, self.ui.sort.get(self.ui.view, ("", False))[0]), chose)

    def action_help(self) -> None:
        """Show what the keys do."""
        self.push_screen(Help(self.ui.view))

    def on_canvas_pointed(self, event: Canvas.Pointed) -> None:
        """Put the cursor where somebody clicked."""
        if event.pane == "tab":
            self.action_view(int(event.key))
        elif event.key:
            self.ui.cursor[self.ui.view] = event.key
            self.ui.moved_at = time.monotonic()
            if event.twice:
                self.action_inspect()
            self.draw()

    def on_canvas_rolled(self, event: Canvas.Rolled) -> None:
        """Move by the wheel."""
        self.move(event.lines)

    def action_leave(self, keep: bool) -> None:
        """End the dashboard; with ``keep`` the last picture is printed."""
        if keep:
            size = self.canvas.size
            rows = screen(self.scene(), size.width, size.height)
            self.kept = "\n".join(plain(row).rstrip() for row in rows)
        self.exit(0)
