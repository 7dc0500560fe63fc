"""The core as a plugin: its kinds enter through the same hooks as anybody's."""
