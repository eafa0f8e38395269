"""Floor 4: endpoints, their connections, and sending one request to one of them."""
