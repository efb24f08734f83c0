"""``sidecar doctor``: a list of checks, each a function that decides about facts that others have found out.

checked       what a check says, and how it is shown
configured    the configuration and its plugins
runtime       versions, files that may be open
listening     addresses, and a sidecar that runs already
certificates  the pod's own CA, its bundle, the clock
reaching      providers and the collector of traces
agent         the environment of an agent
command       the command
"""
