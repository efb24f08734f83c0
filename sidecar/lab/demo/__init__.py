"""``python -m sidecar.lab.demo``: a voice agent calls its providers through the sidecar, before your eyes.

agent     the agent: official SDKs and nothing of ours
setting   the emulated providers, the sidecar and the agent, each a process of its own
show      what is written to the terminal
"""
