"""The door to the build steps: ``python build/run.py demo|test|check|pyz|bench|archive [arguments]``."""

import sys

from steps.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
