"""What the conductor's parts take from the configuration."""

from __future__ import annotations

import os
from pathlib import Path

from oslo_config import cfg

from funcflow import conf as config
from funcflow.conductor import pools, runner, slots, sweeper
from taskflow_flows import invocation as inv

#: Bytes that other machines are taken to have.
UNBOUNDED = 1 << 62
#: Share of the machine's memory for workers, unless configured.
MEMORY_SHARE = 0.6
#: How many session times-out a row may lack its job before it counts as lost.
PATIENCE = 3
#: Seconds a call may wait for a worker before it goes back to the queue.
ACQUIRE = 30.0
#: Runs at the same time, unless configured.
MOST_RUNS = 64


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


def limits_of(conf: cfg.ConfigOpts) -> inv.Limits:
    return inv.Limits(conf.sandbox.result_limit, conf.sandbox.log_limit, ACQUIRE)


def policy_of(conf: cfg.ConfigOpts) -> runner.Policy:
    return runner.Policy(
        conf.conductor.max_attempts,
        conf.conductor.backoff,
        conf.conductor.max_backoff,
        conf.conductor.max_age,
        conf.conductor.cluster_patience,
    )


def slots_of(conf: cfg.ConfigOpts) -> slots.Slots:
    weights = {name: float(weight) for name, weight in conf.conductor.weights.items()}
    return slots.Slots(conf.conductor.capacity or MOST_RUNS, weights)


def cache_dir(conf: cfg.ConfigOpts) -> Path:
    return config.sub_dir(conf, conf.store.cache, "cache")
