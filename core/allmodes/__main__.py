"""`python -m allmodes` is the `allmodes` command."""

from allmodes.cli import main

main()
