"""Floor 1: decisions as plain classes; time and chance are arguments, nothing here does I/O."""
