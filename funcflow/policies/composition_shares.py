"""Rules of shares of compositions."""

from __future__ import annotations

from funcflow.policies.shares import rules

RULES = rules("composition_shares", "composition")
