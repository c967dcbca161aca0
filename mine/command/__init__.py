"""The command line.

    main                    the group `mine`
    estimate, compare, matrix, lagged, methods      one subcommand each
    options, settings       what a subcommand is given; `checks` compares it with the library
    tables, inputs          the columns of a file
    library                 the only place that calls `mine.estimate` and `mine.pairwise`
    records, printing, figures, files       what comes out
    errors                  exit statuses, and errors of one line

Only the standard library and click are imported at the top of these modules (numpy too in tables):
torch, tables and figures are imported where they are used, so that `--help` answers at once.
"""
