"""``just pictures [record]``: draws docs/pictures/*.png from the recording beside them, or records it."""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
RECORDING = FOLDER / "edge-01.meshrec"


def main(arguments: list[str]) -> int:
    """Record, or draw."""
    FOLDER.mkdir(exist_ok=True)
    if arguments == ["record"]:
        from .scene import record  # noqa: PLC0415 - neither needs what the other does

        record(RECORDING)
        print(RECORDING)
        return 0
    if arguments:
        print("build/pictures takes no argument but record.", file=sys.stderr)
        return 2
    from .draw import draw  # noqa: PLC0415

    draw(RECORDING, FOLDER)
    print(FOLDER)
    return 0


sys.exit(main(sys.argv[1:]))
