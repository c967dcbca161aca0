"""Networks of generators, discriminators, encoders and decoders: K of them stacked.

A network is a list of layers (`mine.networks.layers`), built for K cells by `stacked`. Forward and
backward of all cells are one batched program by autograd; parameters are one flat vector.
"""
