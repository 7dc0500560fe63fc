"""The settings of the core's own kinds."""
