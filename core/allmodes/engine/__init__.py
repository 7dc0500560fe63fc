"""How players are updated: optimisers, engines for one run and for several at once, the loop, costs."""
