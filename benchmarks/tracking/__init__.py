"""Trackers of several objects beside each other, at the few frames a second that a detector of open words can look at.

Every tracker gets the same boxes, made from true tracks: some are not found, the others are not quite where the object
is, their scores are those of an open vocabulary, and some are of nothing. What it answers is compared with the truth by
trackeval (HOTA, CLEAR, Identity). No picture and no detector is involved, so the figures say what a tracker makes of
boxes, motion and time, and nothing about appearance, about cameras that move or about a real detector's mistakes.

films.py    what trackers look at, and how a detector's answers are made from true tracks
traffic.py  harness s: invented traffic, at any rate
real.py     harness r: the pedestrians of TUD-Stadtmitte and TUD-Campus, some frames left out
ways.py     the trackers and their settings
figures.py  the metrics

    make benchmark-tracking [ARGS="--harness s --rates 2,5 --seeds 0-3 --trackers sort,groundcam --json FILE"]

The true tracks of harness r are in the wheel of motmetrics 1.4.0, which `make` fetches beside the environment, never
installs, and which is no part of groundcam. Parameters are to be chosen on seeds 0-3 and measured, once, on others; the
default seeds (20-23, and 20-24 of harness r) are for that.
"""
