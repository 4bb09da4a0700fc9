"""`groundcam demo`: the whole path on one machine, with scenes whose objects are known."""
