"""Which models there are, fetching them, and loading them."""
