"""Every Property Finder inquiry in the brokerage's CRM: once, with the right agent, in seconds."""

__version__ = "0.1.0"
