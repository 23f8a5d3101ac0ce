"""Growth: referrers, service lines, the pipeline, claims and supplies."""
