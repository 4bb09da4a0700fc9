"""Webhooks: events are posted to whoever wants them, at least once. Start with `notifier`; `policy/` decides."""
