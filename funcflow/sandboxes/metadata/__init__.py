"""What an invocation may learn about itself, asked for over HTTP from within its sandbox.

The front beside the function (``runtimes/agent/funcflow_agent/metadata.py``) passes requests on;
:mod:`.service` decides, :mod:`.documents` tells. ``doc/metadata.md`` shows the way of a request.
"""
