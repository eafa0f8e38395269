"""Floor 1: the stats protocol: what frames say, how they differ, how they are written and asked for; pure."""
