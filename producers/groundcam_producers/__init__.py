"""Cameras and files to frames on Kafka. Each camera runs in a process of its own."""
