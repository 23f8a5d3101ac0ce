"""`wardhouse serve`: what is published, over HTTP, to whoever has a key."""
