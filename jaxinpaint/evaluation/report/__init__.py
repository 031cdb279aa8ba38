"""The report of evaluations: one page of HTML that needs no other file and no network."""
