"""The agent: a pod's first process, between a conductor and the function.

With the standard library only; ``runtimes/contract/pods.md`` states the protocol. One thread and
one loop (:mod:`.loop`) do everything::

    conductor ── TCP ──► door (proof) ──► agent (runs, time-outs) ──► host
                                                                      ├─ process: a language runtime
                                                                      └─ image: the container beside
"""
