"""The ``kubernetes`` sandbox driver: workers are pods.

From the cluster's side, in every project's namespace::

    Deployment warm-…   one per kind (image and size): generic pods that wait (:mod:`.warm`)
    pod                 taken out of its pool by label, given a package: the worker of one
                        revision (:mod:`.worker`); deleted when it ends (:mod:`.reaper`)
    NetworkPolicies     nothing in but from conductors, nothing out but what a function may
    ResourceQuota       what the project's workers may take together

and in funcflow's own namespace a Lease per conductor (:mod:`.lease`): pods carry the name of
their conductor's lease, so a restarted conductor finds its own and others see what is orphaned.

What there is to make is in :mod:`.manifests`, as plain data. What there is in the cluster is in
:mod:`.index`, kept up to date by watches (:mod:`.watch`); starting a worker takes one API call,
running one takes none. The protocol with a pod is ``runtimes/contract/pods.md``.
"""
