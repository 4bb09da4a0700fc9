"""The routes of groundcam's own API."""
