"""Streams: landed exactly once, compacted, and built from every few seconds."""
