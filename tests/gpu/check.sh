#!/bin/sh
# What a GPU makes of this code, within 12 minutes and without network: a table, and an exit code.
#   tests/gpu/check.sh > docs/results/gpu.md
#   tests/gpu/check.sh --device cpu --quick      (does the script itself run?)
cd "$(dirname "$0")/../.." && exec "${PYTHON:-python}" tests/gpu/check.py "$@"
