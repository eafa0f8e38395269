"""Dialogs: a question before something is done, the order of a list, what the keys do."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, OptionList, RadioButton, RadioSet, Static

from . import acts, facts
from .keys import GROUPS
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
        return self.wish.settled(lasts, self.query_one("#reason", Input).value.strip())

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


class Sort(ModalScreen[str | None]):
    """Asks for the order of a list."""

    CSS = """
    Sort { align: center middle; }
    Sort OptionList { width: 32; height: auto; border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,s", "refuse", "cancel")]
    COLUMNS = ("", "name", "rps", "err", "p50", "p99", "act", "rej", "trips_1h")

    def __init__(self, now: str) -> None:
        super().__init__()
        self.now = now

    def compose(self) -> ComposeResult:
        """Place the choices."""
        yield OptionList(*(Text(each or "trouble (usual)") for each in self.COLUMNS))

    def on_mount(self) -> None:
        """Begin at what is so now."""
        self.query_one(OptionList).highlighted = (
            self.COLUMNS.index(self.now) if self.now in self.COLUMNS else 0
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take a choice."""
        self.dismiss(self.COLUMNS[event.option_index])

    def action_refuse(self) -> None:
        """Leave it as it is."""
        self.dismiss(None)


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
        names = {"slash": "/", "exclamation_mark": "!", "question_mark": "?", "full_stop": ".", "colon": ":",
                 "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{",
                 "right_curly_bracket": "}", "comma": ",", "at": "@", "plus": "+", "minus": "-"}  # fmt: skip
        for title, group in GROUPS:
            whole.append(f"\n{title}\n", style="bold")
            for key, _, text, _ in group:
                shown = " ".join(names.get(each, each) for each in key.split(","))
                whole.append(f"{shown:<12} {text}\n")
        yield Static(whole, id="help", markup=False)

    def action_leave(self) -> None:
        """Close it."""
        self.dismiss(None)
