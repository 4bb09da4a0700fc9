"""The settings as a user gives and sees them: where each is given, what is wrong with it, and what was meant."""
