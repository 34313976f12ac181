"""The embedded default: a whole city on one machine, for one person trying it out. It isolates nobody."""
