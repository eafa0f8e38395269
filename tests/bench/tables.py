"""Raw rounds in, Markdown out: medians over the valid rounds, the invalid ones named beside them."""

import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

Round = dict[str, object]
Column = tuple[str, Callable[[list[Round]], str]]


def values(rounds: Iterable[Round], key: str) -> list[float]:
    return [float(value) for one in rounds if isinstance(value := one.get(key), (int, float))]


def middle(key: str, digits: int = 0, spread: bool = False) -> Callable[[list[Round]], str]:
    """Return a column: the median of a key, with `spread` also its least and greatest value."""

    def cell(rounds: list[Round]) -> str:
        found = values(rounds, key)
        if not found:
            return "-"
        text = f"{median(found):.{digits}f}"
        if spread and len(found) > 1:
            text += f" ({min(found):.{digits}f}-{max(found):.{digits}f})"
        return text

    return cell


def by_round(rounds: Iterable[Round], key: str) -> dict[object, float]:
    return {one["round"]: float(str(one[key])) for one in rounds if not one["wrong"] and key in one}


def against(
    reference: list[Round], key: str, floor: list[Round] | None = None
) -> Callable[[list[Round]], str]:
    """Return a column: the median of the ratios to the reference, each taken within one round.

    With `floor`, what that row had in the same round is taken off both first.
    """
    base, ground = by_round(reference, key), by_round(floor or [], key)

    def cell(rounds: list[Round]) -> str:
        ratios = []
        for number, value in by_round(rounds, key).items():
            under = 0.0 if floor is None else ground.get(number)
            if under is not None and base.get(number, 0.0) > under:
                ratios.append((value - under) / (base[number] - under))
        return f"{median(ratios):.2f}" if ratios else "-"

    return cell


def remark(rounds: Sequence[Round]) -> str:
    """Say which rounds do not count and why, then anything worth a word about those that do."""
    if all(one.get("absent") for one in rounds):
        return words_of(f"not measured: {rounds[0]['wrong']}")
    bad = [one for one in rounds if one["wrong"]]
    words = [f"INVALID {len(bad)} of {len(rounds)} rounds: {bad[0]['wrong']}"] if bad else []
    words += dict.fromkeys(str(one["note"]) for one in rounds if one.get("note") and not one["wrong"])
    return words_of("; ".join(words))


def words_of(text: str) -> str:
    """Return a text that stays within one cell."""
    return text.replace("|", "/").replace("\n", " ")


def table(names: Iterable[str], rounds: Sequence[Round], columns: Sequence[Column]) -> str:
    """Return a table with a row per name; only valid rounds reach the columns."""
    titles = ["", *(title for title, _ in columns), "remarks"]
    lines = ["| " + " | ".join(titles) + " |", "| --- " + "| ---: " * len(columns) + "| --- |"]
    for name in names:
        mine = [one for one in rounds if one["peer"] == name]
        valid = [one for one in mine if not one["wrong"]]
        cells = [cell(valid) for _, cell in columns]
        lines.append("| " + " | ".join([name, *cells, remark(mine) if mine else "not run"]) + " |")
    return "\n".join(lines)


def machine() -> str:
    """Return the line that says where the figures come from."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{len(models)} cores, {models[0] if models else '?'}, Linux {platform.release()}, {python}"
