"""The sidecar put into pods: from a pod to the pod with a sidecar, and back. Pure; nothing here serves calls.

names        what the added parts are called; others build on these
settings     what holds for all pods, and what each mode needs of the proxy's configuration
pod          a pod as it is given, and whether it can be read as one
checked      the configuration in annotations, held to what `sidecar check` says
asked        what a pod's annotations ask for
objections   what speaks against injecting a pod
environment  the variables that lead an agent's calls to the sidecar, and make it trusted
aliases      the names that mean loopback
containers   the containers and volumes that are added
added        what was added to a pod, and taking it out again
injection    `inject` and `eject`
manifests    where pods are within the objects of a manifest
documents    those objects as text, YAML or JSON
"""

from sidecar.inject.injection import Injected, eject, inject
from sidecar.inject.pod import Refused
from sidecar.inject.settings import InjectSettings

__all__ = ["InjectSettings", "Injected", "Refused", "eject", "inject"]
