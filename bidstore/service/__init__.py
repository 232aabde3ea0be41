"""The bid store as a service: a database that decides, replicas without state of their own, and an HTTP API.

:mod:`~bidstore.service.exchange` takes orders, :mod:`~bidstore.service.operator` matches and settles them,
:mod:`~bidstore.service.store` is the database, :mod:`~bidstore.service.app` the API and
:mod:`~bidstore.service.client` what wallets call, in memory and over HTTP alike.
"""
