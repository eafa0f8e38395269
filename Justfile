# Every recipe calls a script that also runs without just.

# Show the recipes.
default:
    @just --list

# All checks in an environment of their own; with arguments, pytest alone: just test tests/http -k framing
test *arguments:
    ./build/test "$@"

# Format, lint, types and house rules.
check:
    ./build/check

# dist/meshctl.pyz, when its inputs changed.
pyz *arguments:
    ./build/pyz "$@"

# The demo, from a freshly built meshctl.pyz.
demo *arguments:
    ./build/demo "$@"

# One benchmark beside its peers: just bench h1 --quick
bench name *arguments:
    ./build/bench "$@"

# The pictures in docs/pictures, from the recording there (Debian: fonts-firacode); just pictures record makes it anew.
pictures *arguments:
    ./build/pictures "$@"

set positional-arguments
