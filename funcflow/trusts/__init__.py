"""Identities that people lend to functions: trusts of Keystone."""
