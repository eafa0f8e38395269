"""meshctl: a service-mesh data plane that fits in one file."""

__version__ = "0.1.0"
