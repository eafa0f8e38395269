"""Floor 7: the command line; each command imports what it uses inside its own function."""
