"""Grid check: AC power flow of the worst case that issued notes permit, and the limits that keep the grid safe."""
