"""Models that answer questions about pictures. Nothing here knows Kafka or the loop."""
