"""Microgrid controller: forecast, control signal, and the prices and limits that follow from it."""
