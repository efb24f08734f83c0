"""What the added parts of a pod are called. Images, dashboards, policies and people rely on these names."""

from typing import Final

DOMAIN: Final = "agent-sidecar.io/"
#: The label by which a pod asks for a sidecar, or for none.
LABEL: Final = f"{DOMAIN}inject"
#: The annotation that says what was added; written here, read by `eject`.
STATUS: Final = f"{DOMAIN}status"

DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
#: Older cluster autoscalers do not move a pod with volumes of its node, unless it lists them here.
SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
#: The first port that needs no privilege.
UNPRIVILEGED: Final = "net.ipv4.ip_unprivileged_port_start"

PROXY: Final = "agent-sidecar"
RULES: Final = "agent-sidecar-rules"
LOCK: Final = "agent-sidecar-lock"
CONTAINERS: Final = (PROXY, RULES, LOCK)

KEYS_VOLUME: Final = "agent-sidecar-keys"
TRUST_VOLUME: Final = "agent-sidecar-trust"
CONFIG_VOLUME: Final = "agent-sidecar-config"
EXTRA_CA_VOLUME: Final = "agent-sidecar-extra-ca"
VOLUMES: Final = (KEYS_VOLUME, TRUST_VOLUME, CONFIG_VOLUME, EXTRA_CA_VOLUME)

KEYS: Final = "/run/agent-sidecar/keys"
TRUST: Final = "/run/agent-sidecar/trust"
CONFIG: Final = "/etc/agent-sidecar/config"
#: Where the image has its rules.
RULES_FILES: Final = "/etc/agent-sidecar"
EXTRA_CA: Final = "/etc/agent-sidecar/extra-ca"
CONFIG_FILE: Final = "sidecar.yaml"
EXTRA_CA_FILE: Final = "ca.crt"

#: All certificates that are to be trusted; our own; the same as `BUNDLE` for Java.
BUNDLE: Final = f"{TRUST}/bundle.crt"
CERTIFICATE: Final = f"{TRUST}/ca.crt"
JAVA_STORE: Final = f"{TRUST}/trust.p12"

PROBES_PORT_NAME: Final = "sidecar-probes"
HTTPS_PORT: Final = 443
REDIRECT_PORT: Final = 15001
PROXY_PORT: Final = 15080
ADMIN_PORT: Final = 15088
PROBES_PORT: Final = 15089
