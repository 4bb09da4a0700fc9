"""Films that are answered frame by frame."""
