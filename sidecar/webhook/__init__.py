"""The injector as Kubernetes asks it: a mutating admission webhook around `sidecar.inject`.

admission    a review as bytes, and its answer; no I/O
serving      the server, its probes and its numbers
presented    the certificate that it presents, which may change while it serves
files        one that others keep, in files
keeping      one that the injector keeps itself, in Kubernetes
certificate  how that is made, and told from what is none
objects      where it is kept, and who is told to trust it; no I/O
kubernetes   the API that they are in
"""
