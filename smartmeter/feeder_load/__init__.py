"""The meter's side of a feeder's load: readings under masks that cancel among the feeder's homes."""
