"""The one script for a GPU: `python -m benchmarks.cuda --out DIR`.

It needs what `mine` needs and nothing else, no set-up and no network, and takes a few minutes on
one card. Its parts, in order of importance:

    machine       device, versions, commit
    checks        what must hold on a device: values, gradients, neighbours, resume, capture, KSG
    throughput    network-steps a second beside ceilings that the same run measures; TF32
    gaussian      the 20-D panel of the experiment `gaussian` at scale `paper`
    equitability  the experiment `equitability` at scale `paper`
    pairwise      all pairs of a table's columns

`library` is the only module here that uses internals of `mine`.
"""
