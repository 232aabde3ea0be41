"""Where household energy comes from: measured profiles from a file, or a generated community.

Start with :func:`petra.homes.csv_profiles.read_profiles` and :func:`petra.homes.community.generate`; both give
:class:`petra.homes.profile.Profiles`. Only whole watt-hours leave this package, and a seed determines all of them.
"""
