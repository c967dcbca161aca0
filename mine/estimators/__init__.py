"""The functions `estimate`, `estimate_many`, `conditional`, `pairwise`, `lagged`; and `Term`.

Each function reads a user's arrays (`rows`), makes jobs of them (`own_job`), and requests their
estimates from one run (`requests`). They have a folder because a module `mine.estimate` would hide
the function of that name. A `Term` has no rows of its own: it is trained beside another model.
"""
