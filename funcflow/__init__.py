"""funcflow: Functions-as-a-Service for OpenStack."""

import warnings

# oslo.messaging brings eventlet, and futurist imports whatever is there; nothing of ours runs on
# it, so people need not hear of its end at each start.
warnings.filterwarnings("ignore", r"\s*Eventlet is deprecated")
