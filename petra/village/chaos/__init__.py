"""Things that go wrong in a village, drawn from a seed, done to a running one, and taken back again.

Everything works on ``village.json``, process ids and files of the village: no rights are needed.
"""
