"""The ``process`` sandbox driver: workers are processes of this machine behind the kernel's walls.

Processes, from the outside in::

    service (many threads)      driver, worker, channel: asks, calls, measures, kills
      zygote (one per driver)   jail.zygote: the runtime preloaded, forks on request, no user code
        init (one per worker)   jail.jailer: pid 1 of the worker's namespace, reaps and reports
          worker                runtimes/<language>: user code, over one socket (its descriptor 3)

When init ends, the kernel ends everything below it; when the zygote or the service ends, so do
the inits. A worker has its own user, mount, pid, ipc, uts, net and cgroup namespaces, a read-only
root (:mod:`.root`) with its package and a small writable ``/tmp``, a system call filter, no
capabilities, resource limits and control groups (:mod:`.cgroups`); as root, a host user of its
own. As a normal user everything but the control groups works the same through a user namespace.
:mod:`.protections` tells what is missing on a machine and what that forbids.

What workers of one zygote share is what it had before it forked: the layout of its memory and the
seed of Python's string hashes. Random numbers are seeded anew in each.
"""
