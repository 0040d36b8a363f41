"""``[limits]`` and ``[quotas]``: what one function and one project may use; part of
:mod:`funcflow.conf`."""

from __future__ import annotations

from oslo_config import cfg

MIB = 1024 * 1024

LIMITS = [
    cfg.IntOpt("min_cpu", default=100, help="Millicpu."),
    cfg.IntOpt("max_cpu", default=4000, help="Millicpu."),
    cfg.IntOpt("default_cpu", default=100, help="Millicpu."),
    cfg.IntOpt("min_memory", default=32 * MIB, help="Bytes."),
    cfg.IntOpt("max_memory", default=4096 * MIB, help="Bytes."),
    cfg.IntOpt("default_memory", default=128 * MIB, help="Bytes."),
    cfg.IntOpt("min_timeout", default=1, help="Seconds."),
    cfg.IntOpt("max_timeout", default=900, help="Seconds."),
    cfg.IntOpt("default_timeout", default=5, help="Seconds."),
    cfg.IntOpt("default_concurrency", default=3, help="Runs at once in one worker (v1 rule)."),
    cfg.IntOpt("max_versions", default=10, help="Versions of one function or composition."),
    cfg.IntOpt("max_kept_workers", default=10, min=0, help="Kept warm of one function at most."),
    cfg.IntOpt("max_compositions", default=1000, help="Compositions of one project."),
    cfg.IntOpt("max_subscriptions", default=100, min=0, help="Subscriptions of one project."),
    cfg.IntOpt("max_secrets", default=1000, min=0, help="Secrets of one project."),
]

#: Their names are those of :class:`funcflow.quotas.base.Limits`.
QUOTAS = [
    cfg.StrOpt(
        "driver",
        default="database",
        help="Who knows the limits of single projects: database (the API sets them), or "
        "keystone (unified limits, see [oslo_limit]).",
    ),
    cfg.FloatOpt("cache_time", default=10.0, min=0, help="Seconds limits are remembered."),
    cfg.IntOpt("functions", default=1000, min=-1, help="Functions of one project. -1: any."),
    cfg.IntOpt(
        "triggers",
        default=1000,
        min=-1,
        deprecated_group="limits",
        deprecated_name="max_triggers",
        help="Triggers of one project. -1: any.",
    ),
    cfg.IntOpt("code_size", default=-1, min=-1, help="Bytes of its packages. -1: any."),
    cfg.IntOpt("executions", default=-1, min=-1, help="Its running executions. -1: any."),
    cfg.IntOpt("memory", default=-1, min=-1, help="Bytes of their memory limits. -1: any."),
    cfg.IntOpt(
        "invocations_per_minute",
        default=-1,
        min=-1,
        help="Its executions accepted in any 60 seconds. -1: any.",
    ),
]
