"""Distributions in torch: how items are drawn, and whose a sample is."""
