"""What a spec says about each baseline (torch-free): a file for each method."""
