"""The loop: from a record on Kafka to an acknowledged answer."""
