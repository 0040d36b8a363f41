"""``python -m tools.images build [NAME…]`` prints archives; ``lock`` pins the newest packages;
``load`` puts them on the test cluster's node."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from tools.images import apt, build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.images", description=__doc__)
    parser.add_argument("action", choices=["build", "lock", "load"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    parser.add_argument("--registry", default=build.REGISTRY, help="what the names begin with")
    parser.add_argument("--output", type=Path, help="copy the archives into this folder")
    options = parser.parse_args()
    recipes = build.known()
    unknown = set(options.names) - set(recipes)
    if unknown:
        parser.error(f"no such image: {', '.join(sorted(unknown))}; there is {', '.join(recipes)}")
    wanted = [recipes[name] for name in options.names or recipes]
    if options.action == "lock":
        apt.refresh()
        for each in wanted:
            build.lock(each, recipes)
        return 0
    for each in wanted:
        began = time.monotonic()
        archive, name = build.build(each, recipes, options.registry)
        if options.output:
            options.output.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(archive, options.output / f"{each.name}.tar")
        if options.action == "load":
            from tools.services import kubernetes

            kubernetes.Cluster().provide(archive, name)
        size = archive.stat().st_size / 1e6
        print(f"{name}  {archive}  {size:.0f} MB  {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except apt.ImageError as exc:
        sys.exit(str(exc))
