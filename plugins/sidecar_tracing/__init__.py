"""Tracing plugin."""
