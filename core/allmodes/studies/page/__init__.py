"""The report of a comparison as one page of HTML, which needs no other file, no network and no script."""
