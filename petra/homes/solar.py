"""Power of rooftop solar panels: pvlib's clear sky, seeded clouds, and the PVWatts conversion.

Models, all from pvlib: clear sky of Ineichen and Perez (2002) with the Linke turbidity of the site, split of the
clouded irradiance into direct and diffuse after Erbs (1982), isotropic diffuse sky on the tilted roof, cell
temperature after Faiman (2008), and PVWatts (Dobos 2014, NREL/TP-6A20-62641). pvlib is imported when it is needed:
it is an extra, and importing it takes about a second.
"""

from dataclasses import dataclass
from types import ModuleType

import numpy as np

from petra.homes import site
from petra.homes.randomness import Floats, Stream, correlated_normal, generator, normal_cdf
from petra.homes.span import Span, Watts

SKY_STEP_MINUTES = 5
"""Resolution of the sun's position; between two steps power is interpolated."""

CLOUD_CORRELATION_HOURS = 3.0
CLEAREST, DULLEST = 1.0, 0.12
"""Range of the clear-sky index: irradiance as a share of the clear sky's."""
BRIGHTNESS = 0.8
"""Shifts the clear-sky index towards clear days; set for a yearly yield of 1200 to 1250 kWh per kW."""
PATCH_SHARE = 0.08
"""How much of the index each home loses or gains by clouds of its own."""

SYSTEM_LOSSES = 0.14
"""PVWatts' default: soiling, shading, mismatch, wiring and so on."""
TEMPERATURE_COEFFICIENT_PER_C = -0.0035
INVERTER_EFFICIENCY = 0.96
WIND_ON_ROOF_M_S = 1.0


class MissingExtra(ImportError):
    """A library that is only installed with an extra of this project is not there."""


@dataclass(frozen=True, slots=True)
class Sky:
    """Sun and irradiance over the days of a span, at steps of five minutes; shared by all homes."""

    zenith_deg: Floats
    azimuth_deg: Floats
    direct_w_m2: Floats
    """Direct normal irradiance."""
    diffuse_w_m2: Floats
    """Diffuse horizontal irradiance."""
    global_w_m2: Floats
    """Global horizontal irradiance."""
    air_c: Floats


def sky(seed: int, span: Span) -> Sky:
    """The sky over the community; raises :class:`MissingExtra` without pvlib."""
    pvlib = _pvlib()
    import pandas as pd

    steps = span.minutes // SKY_STEP_MINUTES + 1
    times = pd.date_range(pd.Timestamp(span.first_day, tz=site.TIME_ZONE), periods=steps, freq=f"{SKY_STEP_MINUTES}min")
    place = pvlib.location.Location(site.LATITUDE_DEG, site.LONGITUDE_DEG, site.TIME_ZONE, site.ALTITUDE_M)
    position = place.get_solarposition(times)
    clear = place.get_clearsky(times, model="ineichen", solar_position=position)
    global_w_m2 = clear["ghi"].to_numpy() * clear_sky_index(seed, steps)
    zenith_deg = position["zenith"].to_numpy()
    split = pvlib.irradiance.erbs(global_w_m2, zenith_deg, times)
    return Sky(
        zenith_deg=zenith_deg,
        azimuth_deg=position["azimuth"].to_numpy(),
        direct_w_m2=np.asarray(split["dni"]),
        diffuse_w_m2=np.asarray(split["dhi"]),
        global_w_m2=global_w_m2,
        air_c=site.air_temperature_c(span.first_day, np.arange(steps) * SKY_STEP_MINUTES / 60),
    )


def clear_sky_index(seed: int, steps: int) -> Floats:
    """Share of the clear sky's irradiance that passes the clouds: slowly varying, often near 1, sometimes dull."""
    correlation_steps = CLOUD_CORRELATION_HOURS * 60 / SKY_STEP_MINUTES
    z = correlated_normal(generator(seed, Stream.CLOUD), steps, correlation_steps)
    return DULLEST + (CLEAREST - DULLEST) * normal_cdf(BRIGHTNESS + 1.3 * z)


def solar_power_w(seed: int, home: int, nominal_w: int, above: Sky, span: Span) -> Watts:
    """AC power of a home's panels in each minute of the days of ``span``, never above ``nominal_w``.

    The roof's tilt and azimuth are drawn for each home.
    """
    pvlib = _pvlib()
    roof = generator(seed, Stream.ROOF, home)
    tilt_deg, azimuth_deg = float(roof.uniform(20, 40)), float(roof.uniform(135, 225))
    plane = pvlib.irradiance.get_total_irradiance(
        tilt_deg,
        azimuth_deg,
        above.zenith_deg,
        above.azimuth_deg,
        above.direct_w_m2,
        above.global_w_m2,
        above.diffuse_w_m2,
    )
    steps = len(above.zenith_deg)
    own = correlated_normal(generator(seed, Stream.CLOUD, home), steps, 60 / SKY_STEP_MINUTES)
    irradiance = np.asarray(plane["poa_global"]) * (1 + PATCH_SHARE * np.tanh(own))
    cell_c = pvlib.temperature.faiman(irradiance, above.air_c, WIND_ON_ROOF_M_S)
    panels_w = pvlib.pvsystem.pvwatts_dc(irradiance, cell_c, nominal_w, TEMPERATURE_COEFFICIENT_PER_C)
    direct_current_w = panels_w * (1 - SYSTEM_LOSSES)
    output_w = pvlib.inverter.pvwatts(direct_current_w, nominal_w / INVERTER_EFFICIENCY, INVERTER_EFFICIENCY)
    # Refraction gives pvlib a little light below the horizon, and its models no number without light.
    by_step = np.where((above.zenith_deg < 90) & (irradiance > 0), output_w, 0)
    by_minute = np.interp(np.arange(span.minutes) / SKY_STEP_MINUTES, np.arange(steps), by_step)
    return np.floor(np.clip(by_minute, 0, nominal_w)).astype(np.int64)


def _pvlib() -> ModuleType:
    """The pvlib package; raises :class:`MissingExtra` with the line that installs it."""
    try:
        import pvlib
    except ImportError as error:
        raise MissingExtra("generated homes need pvlib; install it with: pip install 'petra[homes]'") from error
    module: ModuleType = pvlib
    return module
