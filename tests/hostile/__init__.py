"""Targets that are sick or malicious, and what each kind of prober says of them."""
