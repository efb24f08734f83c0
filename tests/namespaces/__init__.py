"""Network namespaces as pods: real rules, real clients under another user. They need root, iproute2 and nftables."""
