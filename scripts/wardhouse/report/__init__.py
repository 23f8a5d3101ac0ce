"""Charts of the warehouse's answers as pages and pictures; which charts there are an area says."""
