"""What readers of events share: which of them they want, which came before, what is open, and how zones are written."""
