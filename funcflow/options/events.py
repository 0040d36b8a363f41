"""The options of triggers and of the events process; registered by :mod:`funcflow.conf`."""

from __future__ import annotations

from oslo_config import cfg

OPTIONS = [
    cfg.BoolOpt(
        "enabled",
        default=True,
        help="Whether `funcflow up` also serves the sources of triggers.",
    ),
    cfg.ListOpt(
        "sources",
        default=[
            "cron",
            "interval",
            "once",
            "webhook",
            "cloudevent",
            "execution",
            "notification",
            "zaqar",
            "zaqar_subscription",
            "aodh",
            "swift",
        ],
        help="Types of sources that triggers may have.",
    ),
    cfg.IntOpt(
        "partitions",
        default=16,
        min=1,
        max=256,
        help="Parts that events processes share out among themselves. Never change it while any "
        "of them runs.",
    ),
    cfg.PortOpt(
        "metrics_port",
        default=0,
        help="Port of an events process's own /metrics, on [conductor] host; 0: none. Embedded: "
        "they are among the API's.",
    ),
    cfg.IntOpt("threads", default=8, min=1, help="Polled sources looked at at the same time."),
    cfg.IntOpt(
        "max_streams", default=500, min=1, help="Sources one process keeps a connection open for."
    ),
    cfg.FloatOpt("interval", default=0.5, min=0.01, help="Seconds between looks at what is due."),
    cfg.IntOpt("max_depth", default=8, min=1, help="Executions that may set each other off."),
    cfg.FloatOpt(
        "retention",
        default=7 * 86400.0,
        min=60.0,
        help="Seconds a firing is kept; also the longest window of a trigger's deduplication.",
    ),
    cfg.IntOpt("max_firings", default=1000, min=10, help="Firings kept of one trigger."),
    cfg.IntOpt("max_event", default=256 * 1024, min=1024, help="Bytes of one event."),
    cfg.IntOpt("max_batch", default=100, min=1, help="Events of one batch."),
    cfg.FloatOpt(
        "signature_age",
        default=300.0,
        min=1.0,
        help="Seconds that the time of a webhook's signature may be off.",
    ),
]
