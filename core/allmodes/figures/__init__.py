"""Pictures of samples beside the truth."""
