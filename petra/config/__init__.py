"""One configuration file a role: TOML, overridden by the environment, overridden by the command line."""
