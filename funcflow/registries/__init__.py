"""What a registry of container images says of an image, by the OCI distribution protocol.

Used by :mod:`funcflow.origins` when a function is made of an image. :mod:`.lookup` is the way in;
:mod:`.references` takes names apart, :mod:`.client` speaks to one registry.
"""
