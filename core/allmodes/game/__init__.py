"""The computations of one step: noise, contracts, step, terms, composition."""
