"""The command line: words in, library calls, tables and bars out."""
