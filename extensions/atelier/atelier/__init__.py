"""Atelier's service: roster, projects, exchange, marks and pages (*web*), and the *steward*."""
