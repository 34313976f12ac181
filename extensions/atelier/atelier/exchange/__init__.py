"""The exchange: releases, submissions and feedback as immutable archives; each submission has a receipt."""

from atelier.exchange.api import create_api

__all__ = ["create_api"]
