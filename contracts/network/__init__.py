"""A permissioned proof-of-authority network at zero gas price on loopback: geth's Clique with many validators.

Start with :mod:`contracts.network.clique`; docs/chain.md says how to spread such a network over machines.
"""
