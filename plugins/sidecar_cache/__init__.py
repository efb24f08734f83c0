"""Cache plugin."""
