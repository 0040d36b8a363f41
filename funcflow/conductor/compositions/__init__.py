"""Executions of compositions, held by a conductor: log, timers, inbox, work, parking."""
