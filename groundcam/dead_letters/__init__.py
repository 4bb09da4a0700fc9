"""Dead letters: find them, say what is in them, put them back."""
