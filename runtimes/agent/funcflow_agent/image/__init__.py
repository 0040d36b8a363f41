"""Functions that are images: the agent is the sidecar, and speaks what the image speaks."""
