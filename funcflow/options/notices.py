"""The options of what is told to others; registered by :mod:`funcflow.conf` like all others."""

from __future__ import annotations

from oslo_config import cfg

SUBSCRIPTIONS = [
    cfg.FloatOpt("timeout", default=10.0, min=0.1, help="Seconds one request may take."),
    cfg.FloatOpt(
        "backoff", default=1.0, min=0.01, help="Seconds before the second attempt; doubles."
    ),
    cfg.FloatOpt("max_backoff", default=300.0, min=0.01, help="Longest back-off in seconds."),
    cfg.FloatOpt(
        "max_age",
        default=24 * 3600.0,
        min=1,
        help="Seconds it is tried to tell of a change; then the notice is dead.",
    ),
    cfg.IntOpt(
        "max_backlog",
        default=10_000,
        min=1,
        help="Notices that may wait for one subscription; with more it is disabled.",
    ),
    cfg.IntOpt(
        "threads", default=8, min=1, help="Destinations that one conductor tells at the same time."
    ),
    cfg.IntOpt(
        "width",
        default=4,
        min=1,
        help="Requests to one destination at the same time, of different executions.",
    ),
]

NOTICES = [
    cfg.StrOpt(
        "executions",
        default="none",
        choices=["none", "ends", "all"],
        help="Which changes of state of all projects' executions are notified over "
        "oslo.messaging. The same in all processes, as are the following.",
    ),
    cfg.BoolOpt(
        "usage",
        default=False,
        help="Whether a record of each finished execution is notified over oslo.messaging, as "
        "Ceilometer reads them.",
    ),
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="Broker of these notifications, as oslo.messaging knows it. Default: "
        "[notifications] transport_url, or [DEFAULT] transport_url. TLS and more: "
        "[oslo_messaging_rabbit].",
    ),
    cfg.StrOpt("exchange", default="funcflow", help="Exchange they are published to."),
    cfg.ListOpt("topics", default=["notifications"], help="Topics they are published to."),
    cfg.FloatOpt(
        "billing_unit",
        default=0.001,
        min=0.001,
        help="Seconds that the billed time of an execution is rounded up to.",
    ),
]
