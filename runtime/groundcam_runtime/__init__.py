"""What every process shares: Kafka, metrics, health, logging, and a broker for first steps and tests."""
