"""The image without an engine: `python -m tests.image` does what the Dockerfile says, and tries what comes of it."""
