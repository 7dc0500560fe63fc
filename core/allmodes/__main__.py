"""`python -m allmodes` is the `allmodes` command."""

from allmodes.cli.main import main

main()
