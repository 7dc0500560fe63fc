#!/bin/sh
# Whether one GPU keeps the 1,000 modes of Stacked MNIST: a table, and an exit code of 1 where it does not within ten minutes.
#   tests/gpu/stacked_mnist.sh --root data > docs/results/gpu_stacked_mnist.md
#   tests/gpu/stacked_mnist.sh --root data --device cpu --quick      (does the script itself run?)
cd "$(dirname "$0")/../.." && exec "${PYTHON:-python}" tests/gpu/stacked_mnist.py "$@"
