"""What is computed in one step: noise, contracts, step, terms, composition."""
