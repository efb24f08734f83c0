"""Who does the work behind the emulated providers: speaks, listens, answers."""
