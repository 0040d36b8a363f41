"""OpenStack Swift: logging in, asking with bounded patience, reading objects.

Used by the drivers ``swift`` of stores and buckets, and for functions whose code is an object.
The only part that knows swiftclient.
"""
