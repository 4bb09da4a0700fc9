"""One camera's objects, pure: answers and gaps in, events out. Start with `camera`."""
