"""For whoever tests a program that reads what groundcam finds: messages made to a script, streams kept in a file, and
all that a reader has to take. Needs no camera, no model and, but for `publish` and `record`, no Kafka.
"""

from groundcam.testing.contract import Case, cases, redelivered
from groundcam.testing.story import Story, Thing, stands, walks
from groundcam.testing.stream import Recorded, Stream, record

__all__ = [
    "Case",
    "Recorded",
    "Story",
    "Stream",
    "Thing",
    "cases",
    "record",
    "redelivered",
    "stands",
    "walks",
]
