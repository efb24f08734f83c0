"""The near side: how the agent's calls come in. One loopback listener looks at a connection's first bytes, consumes
nothing, and hands the socket to whoever can serve it: HTTP, TLS ended for a provider, or a splice for all others.
"""
