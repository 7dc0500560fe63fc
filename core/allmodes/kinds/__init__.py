"""Configs of the built-in kinds: torch-free, one module per slot."""
