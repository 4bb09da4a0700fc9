"""Pictures and videos answered without Kafka."""
