"""Topics that the service follows: what workers, cameras and questions are, what was seen, and readers of streams."""
