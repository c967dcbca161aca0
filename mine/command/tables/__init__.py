"""Columns of a table by name: what the command reads, checked before anything is trained.

A source knows its columns' names before it reads values, and then reads only the wanted columns:

    .csv .tsv .txt .data .dat   `text`, also on stdin as "-"; `dialect` (by `lines`, `header` and
                                `cells`) and `decoding` recognise how it is written, and
                                `numbers` and `dates` what its cells mean
    .json .jsonl .xlsx .feather `frames`
    .parquet .pq                `parquet`
    .npy                        `arrays`: columns "0", "1", ...
    .npz                        `arrays`: columns "name" of a 1-D array, "name:0", ... of a 2-D one

`reading` is what a user says of the table, `unpacking` takes compression off. `columns` checks the
values, and says what they were taken for.

Nothing that is read can run: pickled arrays are refused. Every error is a ValueError of one line:
expected, got, what to do. Rows are counted from 1, without the header.
"""
