"""Agents with the providers' own SDKs, each in a process of its own, and the table of the calls they make."""
