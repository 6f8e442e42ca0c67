#!/usr/bin/env python3
"""Prints the bill of materials of the release binary as CycloneDX 1.5: every crate that is linked into it or runs while
it is built for the targets that are its arguments, with version, licence, and the sum that Cargo.lock has. Asks cargo for the graph; nothing is fetched that
the build has not fetched. The same sources give the same bytes."""
import hashlib
import json
import re
import subprocess
import sys


def metadata():
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    for target in sys.argv[1:]:
        command += ["--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def sums(lock):
    """Name and version of each package to its sum."""
    found = {}
    for block in lock.split("[[package]]")[1:]:
        field = dict(re.findall(r'^(\w+) = "(.*)"$', block, re.M))
        if "checksum" in field:
            found[field["name"], field["version"]] = field["checksum"]
    return found


def reached(nodes, root):
    """What the program needs, without what only its tests need."""
    seen, todo = {}, [root]
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        needs = [d["pkg"] for d in nodes[package]["deps"] if any(k["kind"] != "dev" for k in d["dep_kinds"])]
        seen[package] = needs
        todo += needs
    return seen


def component(package, sums):
    name, version = package["name"], package["version"]
    purl = f"pkg:cargo/{name}@{version}"
    entry = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if package.get("license"):
        # "MIT/Apache-2.0" is the older way to write "or".
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if (name, version) in sums:
        entry["hashes"] = [{"alg": "SHA-256", "content": sums[name, version]}]
    if package.get("repository"):
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def main():
    data = metadata()
    lock = open("Cargo.lock", encoding="utf-8").read()
    packages = {p["id"]: p for p in data["packages"]}
    root = data["resolve"]["root"]
    graph = reached({n["id"]: n for n in data["resolve"]["nodes"]}, root)
    known = sums(lock)
    parts = {id: component(packages[id], known) for id in graph}
    program = dict(parts.pop(root), type="application")
    name = hashlib.sha256(lock.encode()).hexdigest()
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{name[:8]}-{name[8:12]}-4{name[13:16]}-8{name[17:20]}-{name[20:32]}",
        "version": 1,
        "metadata": {"component": program},
        "components": sorted(parts.values(), key=lambda part: (part["name"], part["version"])),
        "dependencies": sorted(
            (
                {"ref": component(packages[id], {})["purl"],
                 "dependsOn": sorted(component(packages[need], {})["purl"] for need in set(needs))}
                for id, needs in graph.items()
            ),
            key=lambda row: row["ref"],
        ),
    }
    json.dump(bom, sys.stdout, indent=1)
    print()


main()
