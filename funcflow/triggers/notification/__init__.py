"""Notifications of OpenStack services, from their message broker."""
