"""Grounding DINO for answering: transformers' weights and modules, joined anew."""
