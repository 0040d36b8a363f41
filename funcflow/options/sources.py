"""The options of sources that have a server; registered by :mod:`funcflow.conf`."""

from __future__ import annotations

from oslo_config import cfg

NOTIFICATIONS = [
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="Broker of the services' notifications, as in their own configuration: "
        "rabbit://user:secret@host1:5672,user:secret@host2:5672/vhost. Without it there are "
        "no such sources.",
    ),
    cfg.BoolOpt("tls", default=False, help="Speak TLS to the broker."),
    cfg.StrOpt("tls_ca", help="CA file. Default: the system's."),
    cfg.ListOpt(
        "topics",
        default=["notifications"],
        help="Topics that triggers may listen to. Never name one of remote procedure calls.",
    ),
    cfg.ListOpt(
        "open_projects",
        default=[],
        help="Ids of projects whose triggers see the notifications of all projects; others see "
        "their own.",
    ),
    cfg.BoolOpt(
        "share",
        default=False,
        help="Whether triggers of these projects may take notifications out of the services' own "
        "queues, so that nobody else gets them.",
    ),
    cfg.StrOpt(
        "queue_type",
        default="classic",
        choices=["classic", "quorum"],
        help="Type of the queues that triggers have.",
    ),
    cfg.IntOpt(
        "queue_ttl",
        default=86400,
        min=60,
        help="Seconds that a queue is kept while nobody serves it: while no events process "
        "runs, or its trigger is disabled or gone.",
    ),
    cfg.BoolOpt(
        "durable_exchanges",
        default=False,
        help="How an exchange is made that is not there yet: as the services' "
        "amqp_durable_queues says.",
    ),
    cfg.StrOpt(
        "swift_exchange",
        help="Exchange where Swift's ceilometermiddleware publishes (its control_exchange, swift "
        "by default). With it, swift sources look at once when a request was made to their "
        "container, and not by the clock alone. Default: Swift tells nothing.",
    ),
    cfg.IntOpt(
        "prefetch", default=32, min=1, help="Notifications that one trigger has in hand at most."
    ),
    cfg.IntOpt("threads", default=32, min=1, help="Of them, those delivered at the same time."),
]

#: How to log in is keystoneauth's own options in the same section.
OPENSTACK = [
    cfg.StrOpt("zaqar_url", help="Where Zaqar is. Default: as the catalog says (messaging)."),
    cfg.StrOpt(
        "swift_url",
        help="Where Swift is, up to and without the account. Default: as the catalog says.",
    ),
    cfg.FloatOpt(
        "call_timeout", default=10.0, min=0.1, help="Seconds that these services may be silent."
    ),
]
