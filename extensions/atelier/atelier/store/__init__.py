"""The service's database: tables, sessions, migrations. Every other room stands on this one."""
