"""The command ``lmbook``: one module a subcommand, all brought together in main."""
