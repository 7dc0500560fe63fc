"""Files, paths, signals and torch's settings: what the rooms above stand on."""
