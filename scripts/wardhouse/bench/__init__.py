"""Benchmarks, side by side with what wardhouse is held against."""
