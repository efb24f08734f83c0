"""``sidecar doctor``: a list of checks, each a function that decides about facts that others have found out.

checked       what a check says, and how it is shown
configured    the configuration and its plugins
runtime       versions, files that may be open
listening     addresses, and a sidecar that runs already
capture       what leads connections to us: rules of the kernel,
hosts_file    and the hosts file
machine       what this machine says of both
certificates  the pod's own CA, what others are to trust, the clock
reaching      providers and the collector of traces
agent         the environment of an agent
command       the command
"""
