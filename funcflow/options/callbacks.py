"""The options of callbacks; registered by :mod:`funcflow.conf` like all others."""

from __future__ import annotations

from oslo_config import cfg

CALLBACKS = [
    cfg.FloatOpt("timeout", default=10.0, min=0.1, help="Seconds one request may take."),
    cfg.FloatOpt(
        "backoff", default=0.5, min=0.01, help="Seconds before the second attempt; doubles."
    ),
    cfg.FloatOpt("max_backoff", default=60.0, min=0.01, help="Longest back-off in seconds."),
    cfg.FloatOpt(
        "max_age",
        default=24 * 3600.0,
        min=1,
        help="Seconds it is tried to tell of an end; then the callback is dead.",
    ),
    cfg.FloatOpt(
        "look",
        default=5.0,
        min=0.1,
        help="Seconds between looks whether anybody still waits for an execution, while it is "
        "young; twelve times as many when it is old.",
    ),
]

MISTRAL = [
    cfg.URIOpt(
        "url",
        schemes=["http", "https"],
        help="Where Mistral's API is, without /v2. Default: no callback to it, and workflows are "
        "run where the catalog says that Mistral is.",
    ),
    cfg.StrOpt("ca", help="CA certificates to trust besides the machine's."),
    cfg.FloatOpt(
        "timeout", default=10.0, min=0.1, help="Seconds one request for a workflow may take."
    ),
    cfg.URIOpt(
        "notify_url",
        schemes=["http", "https"],
        help="Where Mistral's engine reaches funcflow's API, without /v1: there it tells of "
        "the ends of workflows. Default: they are looked for, more and more rarely.",
    ),
    cfg.FloatOpt(
        "look",
        default=1.0,
        min=0.05,
        help="Seconds before the first look at a workflow; grows by half with each.",
    ),
    cfg.FloatOpt("max_look", default=60.0, min=0.05, help="Longest time between looks in seconds."),
    cfg.FloatOpt(
        "patience",
        default=300.0,
        min=0,
        help="Seconds a workflow is tried to be started while Mistral does not answer; then its "
        "task fails with Mistral.Unavailable.",
    ),
]
