"""Under which fault each panel must move. A panel that stands here nowhere fails its test."""

from boards import panels

UNDER: dict[str, dict[str, tuple[str, ...]]] = {
    "overview": {
        "cameras": ("Cameras without frames",),
        "no-kafka": ("Workers ready", "Frames answered", "Frames on their way", "Objects found", "Alerts"),
        "shedding": ("Share skipped", "Frames not looked at", "Alerts over time"),
        "late": ("Age of an answer, 95 %", "Age of answers"),
        "standing": ("Frames behind",),
        "members": ("Processes by version",),
    },
    "cameras": {
        "cameras": (
            "State", "Frames decoded", "Frames published", "Frames answered", "Time since the newest frame",
            "Reconnects", "Process restarts", "Damaged frames", "Bytes published", "Size of a frame",
        ),
        "shedding": ("Frames not looked at",),
        "late": ("Age of answers, 95 %",),
        "bad-frames": ("Objects in a frame",),
        "well": ("Smallest delay", "Question"),
    },
    "workers": {
        "no-kafka": ("Ready", "Frames answered", "Answers that wait for Kafka"),
        "late": (
            "Detector busy", "Batches in the detector", "Time of a batch", "Time of a frame", "Time in each stage",
            "Time in each stage, 95 %",
        ),
        "standing": ("Frames that wait in memory",),
        "bad-frames": ("Batch", "Detector errors", "New shapes", "Memory", "Cores"),
        "members": ("Partitions of each worker", "Running for"),
    },
    "kafka": {
        "standing": ("Frames behind", "Frames finished", "Time behind"),
        "members": ("Partitions of each worker", "Rebalances"),
        "no-kafka": (
            "Silence", "Bytes of frames", "Time to publish", "Answers that wait for Kafka", "Frames lost to Kafka",
        ),
        "bad-frames": ("Dead letters",),
    },
}  # fmt: skip

NOT_HERE = {
    **{("http", panel.title): "no fault here is about the HTTP service" for panel in panels("http")},
    **{("events", panel.title): "no fault here is about trackers or webhooks" for panel in panels("events")},
    ("workers", "GPU busy"): "there is no GPU on this machine",
    ("workers", "GPU memory"): "there is no GPU on this machine",
}

APPEARS = {("cameras", "Question"), ("overview", "Alerts over time")}
"""Their series are 1 while there is something to show: they move by coming and going."""
