"""Trains the bundled `demo` model from nothing, on scenes that it draws. Not part of the installed package."""
