"""Floor 6: the proxy told from outside what to do, and what it tells."""
