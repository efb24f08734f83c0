"""A sidecar proxy for AI agents."""
