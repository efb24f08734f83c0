"""The providers' own SDKs, through every door that they can take."""
