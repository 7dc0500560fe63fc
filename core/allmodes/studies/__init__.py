"""Several specs and seeds, trained side by side and tabulated."""
