"""Dialogs: a question before something is done, the order of a list, what the keys do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, RadioButton, RadioSet, Static

from . import acts, facts
from .keys import GROUPS, KEY_NAMES
from .scene import VIEWS, Scene
from .text import cut, safe


class Confirm(ModalScreen[acts.Wish | None]):
    """Asks whether something is really wanted. Nothing dangerous has the focus; the state is watched."""

    CSS = """
    Confirm { align: center middle; }
    #box { width: 70; max-width: 95%; height: auto; border: round $primary; padding: 1 2; }
    #buttons { height: auto; align-horizontal: center; margin-top: 1; }
    Confirm Button { margin: 0 2; }
    Confirm Input { margin: 1 0 0 0; }
    RadioSet { layout: horizontal; height: auto; width: 100%; border: none; margin-top: 1; }
    RadioButton { width: auto; margin-right: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "refuse", "cancel"),
        Binding("y", "agree", "yes", show=False),
    ]

    def __init__(self, wish: acts.Wish, scene: Callable[[], Scene]) -> None:
        super().__init__()
        self.wish = wish
        self._scene = scene

    def compose(self) -> ComposeResult:
        """Place the question."""
        wish = self.wish
        with Vertical(id="box"):
            yield Static(Text(f"{wish.title} ?", style="bold"), markup=False)
            yield Static(Text("\n".join(("", *wish.about))), markup=False)
            if wish.lasts >= 0:
                with RadioSet(id="lasts"):
                    for index, (text, _) in enumerate(acts.TIMES):
                        yield RadioButton(text, value=index == wish.lasts)
            if wish.number:
                value = str(wish.args[wish.number])
                yield Input(value, id="number", type="integer", max_length=7)
            yield Input(placeholder="reason (stands in the events)", id="reason", max_length=200)
            if wish.level >= 3:
                yield Input(placeholder=f"type the name to confirm: {safe(wish.name)}", id="name")
            yield Static(Text(""), id="same", markup=False)
            yield Static(Text(""), id="changed", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Cancel (esc)", id="cancel")
                yield Button(wish.title.split()[0] + " " + wish.title.split()[1], id="do", variant="warning")

    def on_mount(self) -> None:
        """Begin with the focus where nothing happens."""
        self.query_one("#cancel", Button).focus()
        self.set_interval(0.25, self.check)
        self.check()

    def settled(self) -> acts.Wish:
        """Give the wish as the fields say."""
        lasts = -1
        if self.wish.lasts >= 0:
            lasts = max(0, self.query_one("#lasts", RadioSet).pressed_index)
        number = int(self._number()) if self._number().isdecimal() else None
        return self.wish.settled(lasts, self.query_one("#reason", Input).value.strip(), number)

    def _number(self) -> str:
        return self.query_one("#number", Input).value.strip() if self.wish.number else ""

    def check(self) -> None:
        """Look whether what was seen is still so, and show the command that does the same."""
        self.query_one("#same", Static).update(
            Text(f"\nSame as   {cut(safe(self.settled().command()), 120)}")
        )
        why = self.obstacle()
        self.query_one("#changed", Static).update(Text(why, style="bold"))
        self.query_one("#do", Button).disabled = bool(why)

    def obstacle(self) -> str:
        """Say why it cannot be done just now, empty if it can."""
        scene = self._scene()
        why = scene.acting
        if why:
            return f"\nactions are off: {why}"
        wish = self.wish
        seen = wish.expect.get("st")
        row = scene.model.things("br").get(wish.name)
        if seen is not None and (row is None or row.get("st") != seen):
            now = "gone" if row is None else facts.WORDS.get(facts.state(row), "?")
            return f"\nit has changed meanwhile: it is {now} now. esc, and look again"
        if wish.number and not self._number().isdecimal():
            return f"\n{wish.number} is a whole number"
        if wish.level >= 3 and self.query_one("#name", Input).value.strip() != wish.name:
            return "\ntype its name first"
        return ""

    def action_refuse(self) -> None:
        """Do nothing."""
        self.dismiss(None)

    def action_agree(self) -> None:
        """Do it, if that may be."""
        if not self.obstacle():
            self.dismiss(self.settled())

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Hear a button."""
        if event.button.id == "do":
            self.action_agree()
        else:
            self.action_refuse()


class Choice(ModalScreen[str | None]):
    """Asks for one of several."""

    CSS = """
    Choice { align: center middle; }
    Choice OptionList { width: 44; max-width: 95%; height: auto; max-height: 90%; border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "refuse", "cancel")]

    def __init__(self, title: str, choices: Mapping[str, str], now: str = "") -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._now = now

    def compose(self) -> ComposeResult:
        """Place the choices."""
        choices = OptionList(*(Text(text) for text in self._choices.values()))
        choices.border_title = self._title
        yield choices

    def on_mount(self) -> None:
        """Begin at what is so now."""
        keys = list(self._choices)
        self.query_one(OptionList).highlighted = keys.index(self._now) if self._now in keys else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take a choice."""
        self.dismiss(list(self._choices)[event.option_index])

    def action_refuse(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)


ORDERS: Final = {
    "": "trouble (usual)",
    **{each: each for each in ("name", "rps", "err", "p50", "p99", "act", "rej", "trips_1h")},
}
"""What a list can be sorted by."""


class Help(ModalScreen[None]):
    """Says what the keys do."""

    CSS = """
    Help { align: center middle; }
    #help {
        width: 76; max-width: 95%; height: auto; max-height: 95%; border: round $primary; padding: 0 2;
        overflow-y: auto;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "leave", "back")]

    def __init__(self, view: int) -> None:
        super().__init__()
        self.view = view

    def compose(self) -> ComposeResult:
        """Place the list."""
        whole = Text(f"{VIEWS[self.view - 1]}: what the keys do\n", style="bold")
        whole.append("\n1-8          views: " + " ".join(VIEWS) + "\n")
        for title, group in GROUPS:
            whole.append(f"\n{title}\n", style="bold")
            for key, _, text, _ in group:
                shown = " ".join(KEY_NAMES.get(each, each) for each in key.split(","))
                whole.append(f"{shown:<12} {text}\n")
        yield Static(whole, id="help", markup=False)

    def action_leave(self) -> None:
        """Close it."""
        self.dismiss(None)
