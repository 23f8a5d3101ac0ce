"""Looking at a raw directory before any build: nothing here decides how a build reads it."""
