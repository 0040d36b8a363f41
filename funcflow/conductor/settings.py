"""What the conductor's parts take from the configuration."""

from __future__ import annotations

import os
from pathlib import Path

from oslo_config import cfg

from funcflow import conf as config
from funcflow.conductor import pools, sweeper

#: Bytes that other machines are taken to have.
UNBOUNDED = 1 << 62
#: Share of the machine's memory for workers, unless configured.
MEMORY_SHARE = 0.6
#: How many session times-out a row may lack its job before it counts as lost.
PATIENCE = 3


def bounds_of(conf: cfg.ConfigOpts, local: bool = True) -> pools.Bounds:
    """:param local: whether workers take this machine's memory"""
    memory = conf.sandbox.max_memory
    if not memory and not local:
        memory = UNBOUNDED
    elif not memory:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        memory = int(machine * MEMORY_SHARE)
    return pools.Bounds(
        conf.sandbox.max_workers, memory, conf.sandbox.max_starting, conf.sandbox.idle
    )


def times_of(conf: cfg.ConfigOpts) -> sweeper.Times:
    return sweeper.Times(
        interval=conf.conductor.sweep_interval,
        grace=PATIENCE * conf.jobboard.session_timeout,
        retention=conf.database.retention,
        window=conf.jobboard.window,
    )


def cache_dir(conf: cfg.ConfigOpts) -> Path:
    return config.sub_dir(conf, conf.store.cache, "cache")
