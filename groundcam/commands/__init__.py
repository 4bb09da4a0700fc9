"""One file for each command: its options, and the few lines that join settings to the part that does it."""
