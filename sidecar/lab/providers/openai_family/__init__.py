"""What OpenAI and those that speak like it have in common."""
