"""The options of section ``[trusts]``; part of :mod:`funcflow.conf`."""

from __future__ import annotations

from oslo_config import cfg

OPTIONS = [
    cfg.StrOpt(
        "driver",
        help="How functions, compositions and triggers get identities: keystone, or none. "
        "Default: keystone where [api] auth is keystone. The service's user is who trusts are "
        "made for: [keystone_authtoken] "
        "says how it logs in, or this section with auth_type and so on.",
    ),
    cfg.FloatOpt(
        "owner_lifetime",
        default=0.0,
        min=0,
        help="Seconds the trust of a function's owner lasts; renewed when they call or change it "
        "past half of that. 0: as long as the function.",
    ),
    cfg.FloatOpt(
        "caller_lifetime",
        default=86400.0,
        min=600,
        help="Seconds the trust of a caller lasts at most. Twice [conductor] max_age or more.",
    ),
    cfg.FloatOpt(
        "idle", default=3600.0, min=1, help="Seconds the trust of a caller is kept unused."
    ),
    cfg.ListOpt(
        "trigger_roles",
        default=["member"],
        help="Roles that whoever makes a trigger lends it, unless they say which: what its source "
        "is asked with (zaqar, swift).",
    ),
    cfg.FloatOpt(
        "check_interval",
        default=5.0,
        min=0,
        help="Seconds for which Keystone is not asked again whether what was lent is still good; "
        "so long may a revoked trust live on. 0: asked for each run.",
    ),
]


def driver(conf: cfg.ConfigOpts) -> str:
    """The name of the driver that is to be used."""
    return conf.trusts.driver or ("keystone" if conf.api.auth == "keystone" else "none")
