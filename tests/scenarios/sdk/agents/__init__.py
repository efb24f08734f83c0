"""One module per SDK, one function per call. Each is told the URL to use for its provider's own, or None for none.

What a function returns is what the agent made of the answer: a text, a sound that tells its own format, or samples.
"""
