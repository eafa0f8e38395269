"""Keys and what they do. Each has an id, by which it can be given another key. No function keys, no alt."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding

_MOVES: Final = (
    ("up,k", "move(-1)", "up", "nav.up"),
    ("down,j", "move(1)", "down", "nav.down"),
    ("pageup", "page(-1)", "a page up", "nav.page_up"),
    ("pagedown", "page(1)", "a page down", "nav.page_down"),
    ("g,home", "end(False)", "the first", "nav.top"),
    ("G,end", "end(True)", "the last", "nav.bottom"),
    ("left,h", "side(-1)", "fold, or the card before", "nav.fold"),
    ("right,l", "side(1)", "unfold, or the next card", "nav.unfold"),
    ("enter", "inspect", "look closer", "nav.in"),
    ("escape", "out", "clear the filter, or go back", "nav.out"),
)
_LISTS: Final = (
    ("slash", "filter", "filter: name=pay*  err>1%  state=open", "filter"),
    ("s", "sort", "choose the order", "sort.menu"),
    ("S", "reverse", "turn the order round", "sort.reverse"),
    ("exclamation_mark", "trouble", "only what is not all right", "filter.trouble"),
    ("F", "freeze", "hold the order; values still move", "order.freeze"),
    ("v", "mode", "cards or table", "view.mode"),
    ("t", "tap", "show requests of this as they end; in Tap: start, stop", "tap"),
    ("n", "sample", "in Tap: one of 1, 10, 100", "tap.sample"),
    ("C", "clear_tap", "in Tap: forget what was shown", "tap.clear"),
)
_TIME: Final = (
    ("p", "pause", "hold the picture", "time.pause"),
    ("full_stop", "live", "back to now", "time.live"),
    ("left_square_bracket", "step(-1)", "five seconds back", "time.back"),
    ("right_square_bracket", "step(1)", "five seconds on", "time.on"),
    ("left_curly_bracket", "event(-1)", "the event before", "time.event_back"),
    ("right_curly_bracket", "event(1)", "the next event", "time.event_on"),
    ("comma", "frame", "one frame back", "time.frame"),
    ("at", "goto", "go to a time: 12:00:41, -90s, trip NAME", "time.goto"),
    ("space", "play", "let the past run, or hold it", "time.play"),
    ("plus", "speed(1)", "faster", "time.faster"),
    ("minus", "speed(-1)", "slower", "time.slower"),
)
_ACTS: Final = (
    ("a", "menu", "what can be done about this", "act.menu"),
    ("o", "act('open')", "force a breaker open", "act.open"),
    ("c", "act('close')", "force a breaker closed", "act.close"),
    ("R", "act('reset')", "reset a breaker", "act.reset"),
    ("x", "act('clear')", "let a forced breaker speak for itself", "act.clear"),
    ("d", "act('drain')", "drain an endpoint", "act.drain"),
    ("w", "act('weigh')", "give an endpoint another weight", "act.weigh"),
    ("u", "act('undrain')", "let an endpoint have requests again", "act.undrain"),
)
_APP: Final = (
    ("r", "reload", "in Profile: load what is on disk; without a connection: connect now", "connect"),
    ("e", "export", "write what is shown into a file", "out.export"),
    ("y", "copy", "copy the name of this", "out.copy"),
    ("question_mark", "help", "this help", "help"),
    ("q", "leave(False)", "quit", "quit"),
    ("Q", "leave(True)", "quit, and print the last picture", "quit.keep"),
    ("colon,ctrl+p", "command_palette", "commands by name", "palette"),
)
KEY_NAMES: Final = {
    "slash": "/", "exclamation_mark": "!", "question_mark": "?", "full_stop": ".", "colon": ":",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{",
    "right_curly_bracket": "}", "comma": ",", "at": "@", "plus": "+", "minus": "-",
}  # fmt: skip
"""What stands on keys that the library calls by a word."""
GROUPS: Final = (("Moving", _MOVES), ("Lists", _LISTS), ("Time", _TIME), ("Actions", _ACTS), ("This", _APP))


def bindings() -> list[Binding]:
    """Give all of them."""
    found = [
        Binding(f"{number}", f"view({number})", show=False, id=f"view.{number}") for number in range(1, 9)
    ]
    for _, group in GROUPS:
        found += [Binding(key, action, text, show=False, id=name) for key, action, text, name in group]
    found.append(Binding("ctrl+c", "leave(False)", "quit", show=False, priority=True, id="quit.now"))
    return found


BINDINGS: Final = tuple(bindings())
