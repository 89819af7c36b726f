"""The connector, from its pure decisions to whole orders at the sandbox."""
