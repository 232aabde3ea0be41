"""What is missing on this machine for each role, with the line that fixes it."""
