"""One file per group of commands: options, printing, exit codes."""
