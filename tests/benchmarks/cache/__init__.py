"""How much of what could be answered again is, in so many bytes: simulated, by the very memory that serves."""
