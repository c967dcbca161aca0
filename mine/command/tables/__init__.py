"""Columns of a table by name: what the command reads, checked before anything is trained.

A source knows its columns' names before it reads values, and then reads only the wanted columns:

    .csv .tsv .txt      `text`: with a header line (also .gz), or csv on stdin as "-"
    .parquet .pq        `parquet`
    .npy                `arrays`: columns "0", "1", ...
    .npz                `arrays`: columns "name" of a 1-D array, "name:0", ... of a 2-D one

Nothing that is read can run: pickled arrays are refused. Every error is a ValueError of one line:
expected, got, what to do. Rows are counted from 1, without the header.
"""
