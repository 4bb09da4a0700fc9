"""What a group member knows of its partitions: pure, without threads, clocks or Kafka."""
