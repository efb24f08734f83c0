"""How each provider family speaks: one module per dialect, all under the contract of `sidecar.dialect`."""
