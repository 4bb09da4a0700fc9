"""The console: a page of ES modules that stands on the HTTP API alone."""
