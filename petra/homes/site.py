"""The place of the generated community, its temperature and its daylight."""

import math
from datetime import date

import numpy as np

from petra.homes.randomness import Floats

LATITUDE_DEG = 36.17
"""Nashville, Tennessee: a mid-latitude site, the home of the PETra paper's authors."""
LONGITUDE_DEG = -86.78
ALTITUDE_M = 170
TIME_ZONE = "Etc/GMT+6"
"""Central standard time (UTC-6) all year; POSIX names count westwards."""
UTC_OFFSET_HOURS = -6


def sun_elevation_deg(day: date, hours: Floats) -> Floats:
    """Height of the sun over the horizon at ``hours`` of local standard time since midnight of ``day``.

    Good to about 1°, which is enough to switch on lights (declination after Cooper 1969, without the equation of
    time); solar power uses pvlib's positions.
    """
    day_of_year = day.timetuple().tm_yday + np.floor(hours / 24)
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day_of_year) / 365)
    solar_hours = hours - UTC_OFFSET_HOURS + LONGITUDE_DEG / 15
    hour_angle = np.radians(15 * (solar_hours - 12))
    latitude = math.radians(LATITUDE_DEG)
    sine = math.sin(latitude) * np.sin(declination) + math.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    degrees: Floats = np.degrees(np.arcsin(np.clip(sine, -1, 1)))
    return degrees


def air_temperature_c(day: date, hours: Floats) -> Floats:
    """Mean air temperature at ``hours`` since midnight of ``day``: a yearly and a daily wave.

    Fitted by eye to Nashville's climate normals 1991-2020 (yearly mean 16 °C, coldest mid-January 4 °C, warmest
    mid-July 27 °C).
    """
    day_of_year = day.timetuple().tm_yday + hours / 24
    yearly = 16 - 11.5 * np.cos(2 * np.pi * (day_of_year - 18) / 365)
    temperature: Floats = yearly - 5 * np.cos(2 * np.pi * (hours - 3) / 24)
    return temperature
