"""Options of the benchmarks; they load no torch."""
