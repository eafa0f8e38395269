"""The views: each gives its lines for a scene and a size, purely."""
