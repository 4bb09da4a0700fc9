"""Objects and their lives: which boxes of a camera are one thing, where it goes, and when it is gone."""
