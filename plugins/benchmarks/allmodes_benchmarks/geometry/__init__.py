"""Random geometries in NumPy: what can be known of a benchmark without torch."""
