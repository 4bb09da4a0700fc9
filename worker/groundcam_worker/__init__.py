"""Frames from Kafka to the detector, answers back to Kafka, and nothing lost in between."""
