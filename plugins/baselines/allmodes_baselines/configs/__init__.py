"""Settings of the baselines, a file for each method; loads no torch."""
