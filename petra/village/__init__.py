"""A village: every role of a microgrid as a process of its own on one machine, started, watched and tried."""
