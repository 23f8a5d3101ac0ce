"""Growth: referring providers, service lines, claims and supplies."""
