"""What decides: pure, without threads, clocks or Kafka."""
