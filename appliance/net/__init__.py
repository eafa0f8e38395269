"""Floor 2: sockets, parks and deadlines; the only package that touches the kernel's network."""
