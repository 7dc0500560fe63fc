"""What a spec says about each method's parts (torch-free)."""
