"""The injector as Kubernetes asks it: a mutating admission webhook around `sidecar.inject`.

admission   a review as bytes, and its answer; no I/O
serving     the server, its certificate that may change while it serves, and its probes
"""
