"""The groups of commands below ``petra``."""
