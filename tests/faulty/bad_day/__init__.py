"""A distribution of plugins on their worst day: each misbehaves in one way. See `tests.faulty.installing`."""
