"""Floor 1: profile text in, a frozen plan and diagnostics out; pure but for reading the files it is given."""
