"""Trains the bundled `demo` model from nothing, on scenes that it draws. Not part of the installed package.

python -m training.train --out build/demo-model       # stop it any time; the same command goes on
python -m training.evaluate --model build/demo-model/model
"""
