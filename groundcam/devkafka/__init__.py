"""An Apache Kafka from pip packages, for first steps and tests."""
