"""Databases that take a published version: PostgreSQL by ADBC, Redshift by a script."""
