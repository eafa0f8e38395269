"""Floor 1: counts and times, added up; pure, and cheap where requests pass."""
