"""The HTTP service: in front of the queue, not beside it. No torch."""
