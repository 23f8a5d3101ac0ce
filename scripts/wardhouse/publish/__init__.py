"""What leaves the warehouse for readers: versions of its marts as Parquet, and who reads them."""
