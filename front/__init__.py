"""The front server: nginx's configuration, filled from the settings, and the files it serves itself."""
