"""Audio as bytes: what the emulated providers take and give, encoded as asked for."""
