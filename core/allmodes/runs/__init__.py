"""What a run is and what lies in its folder. Loads no torch."""
