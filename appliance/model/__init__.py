"""Floor 0: the nouns and units that every other package speaks in; standard library only."""
