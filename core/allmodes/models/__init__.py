"""Trained weights on disk: format, checkpoints, reading back, model card."""
