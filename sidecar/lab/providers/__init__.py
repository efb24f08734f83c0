"""The emulated providers, one module per family."""
