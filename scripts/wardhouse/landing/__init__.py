"""From raw files to one view per feed: the only place that knows files and formats."""
