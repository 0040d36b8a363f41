"""Telling others of changes of state: claimed lane by lane, sent, tried again, given up."""
