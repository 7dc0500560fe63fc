"""A first spec for data of one's own: what their reader says, and a method, networks and metrics that fit them."""
