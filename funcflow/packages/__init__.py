"""Function packages: checked when uploaded, kept in a store, unpacked where they run."""

from funcflow.packages.archive import Limits, PackageInfo, from_source, inspect
from funcflow.packages.cache import Cache, Lease

__all__ = ["Cache", "Lease", "Limits", "PackageInfo", "from_source", "inspect"]
