"""The study at equal budgets: equal networks, the same search, and budgets by images and by processor time."""
