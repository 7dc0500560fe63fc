"""One spec over its seeds: train, measure, save, resume, measure again."""
