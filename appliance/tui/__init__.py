"""Floor 7: the client of the stats socket, and what draws it; knows the wire and nothing of the proxy."""
