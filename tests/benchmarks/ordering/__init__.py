"""Whether the ordering plugin's decisions are better than the rules of its peers: simulated, in virtual time."""
