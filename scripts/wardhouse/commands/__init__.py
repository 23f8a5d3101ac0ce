"""The commands, one file per group: options, printing, exit codes; no logic."""
