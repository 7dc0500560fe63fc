"""How players are updated: optimisers, eager and functional updates, the loop, costs."""
