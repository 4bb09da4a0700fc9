"""Frames from Kafka to the detector, answers back to Kafka, and no frame unaccounted for in between."""
