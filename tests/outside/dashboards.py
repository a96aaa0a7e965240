"""Reads each dashboard with Grafana's official library and writes it again: a key that is lost is one that Grafana does not know."""
import json
import pathlib
import sys

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

# What Grafana's Prometheus data source adds to an annotation; the library knows only what all data sources share.
OF_PROMETHEUS = (".annotations.list[0].titleFormat", ".annotations.list[0].textFormat", ".annotations.list[0].step")


def lost(before, after, path=""):
    """The places in `before` that are not the same in `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key not in after and value is not None:
                yield f"{path}.{key}"
            else:
                yield from lost(value, after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after)):
            yield from lost(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r} became {after!r}"


plugins.register_default_plugins()
found = []
for file in sorted(pathlib.Path("dashboards/grafana/dashboards").glob("*.json")):
    before = json.loads(file.read_text())
    after = json.loads(JSONEncoder().encode(Dashboard.from_json(before)))
    found += [f"{file}: {place}" for place in lost(before, after) if place not in OF_PROMETHEUS]
print("\n".join(found))
sys.exit(1 if found else 0)
