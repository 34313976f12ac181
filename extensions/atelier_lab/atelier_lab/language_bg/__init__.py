"""Bulgarian for Lab: the catalogues of this package's sidebar and of Lab's most visible texts."""
