"""Wardhouse: the Python side of a healthcare analytics warehouse built with dbt and DuckDB."""
