"""Sanity checks of every metric that measures samples, after Räisä, van Breugel and van der Schaar (ICML 2025).

    PYTHONPATH=tests python -m sanity      writes docs/results/sanity.md

Distributions, points and tolerances are those of the paper (arXiv 2505.22450) as its authors published them, with
fewer points and at most 2,000 items; what they do not say, such as what a distance should do, is our reading.
"""
