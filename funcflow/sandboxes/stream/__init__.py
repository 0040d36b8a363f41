"""The host's side of a worker's stream, shared by the drivers whose workers have one."""
