"""The trading cycle, wallet, simulation, reports and command line of PETra. Start with :mod:`petra.cycle`."""
