"""Floor 5: the way of a request from an accepted connection through the stack to its ending."""
