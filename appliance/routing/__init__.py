"""Floor 1: which route a request takes, and what its target becomes; pure."""
