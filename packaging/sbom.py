#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints what a build is made of, as CycloneDX 1.5 (JSON).

    packaging/sbom.py BUILD > longstop.cdx.json

BUILD is a build's folder. The libraries are those that the linker takes for
the program and for each plugin, as packages of the Debian it is run on: name,
version, and purl. llhttp may be built in; then its sources' package is named.
"""
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def ask(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True,
                          env=dict(os.environ, LC_ALL="C")).stdout


def version():
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"project\(longstop VERSION ([\d.]+)",
                         file.read()).group(1)


def libraries(path):
    """The files that the linker takes for a program or plugin."""
    return re.findall(r"=> (/\S+) ", ask("ldd", path))


def package_of(path):
    """The package a file is from. Before /usr was merged with /, dpkg knew
    libraries by the shorter path."""
    real = os.path.realpath(path)
    for name in (real, real.removeprefix("/usr"), path):
        found = subprocess.run(["dpkg-query", "-S", name],
                               capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.split(": ")[0].split(",")[0]
    raise SystemExit(f"sbom: no package of this machine has {path}")


def component(package):
    name, number, arch, source = ask(
        "dpkg-query", "-W", "-f",
        "${Package}\t${Version}\t${Architecture}\t${source:Package}",
        package).split("\t")
    system = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$',
                             open("/etc/os-release", encoding="utf-8").read(),
                             re.M))
    purl = (f"pkg:deb/{system['ID']}/{name}@{number.replace('+', '%2B')}"
            f"?arch={arch}&distro={system['ID']}-{system['VERSION_ID']}")
    return {"type": "library", "bom-ref": purl, "name": name,
            "version": number, "purl": purl,
            "properties": [{"name": "debian:source", "value": source}]}


def built_in():
    """The package of llhttp's sources, where there is no library of it."""
    path = "/usr/share/llhttp/llhttp.c"
    return [package_of(path)] if os.path.exists(path) else []


def own(name, number, kind):
    return {"type": kind, "bom-ref": name, "name": name, "version": number,
            "licenses": [{"license": {"id": "MIT"}}]}


def main():
    if len(sys.argv) != 2:
        raise SystemExit("usage: packaging/sbom.py BUILD")
    build = sys.argv[1]
    number = version()
    folder = os.path.join(build, "plugins")
    plugins = sorted(name for name in os.listdir(folder)
                     if name.endswith(".so")) if os.path.isdir(folder) else []
    files = {"longstop": os.path.join(build, "longstop"),
             **{"longstop-" + name[:-len(".so")]: os.path.join(folder, name)
                for name in plugins}}
    made, needed, dependencies = [], {}, []
    for name, path in files.items():
        packages = {package_of(library) for library in libraries(path)}
        if name == "longstop":
            packages.update(built_in())
        else:
            made.append(own(name, number, "library"))
        for package in packages - set(needed):
            needed[package] = component(package)
        refs = sorted(needed[package]["bom-ref"] for package in packages)
        if name != "longstop":
            refs.append("longstop")
        dependencies.append({"ref": name, "dependsOn": refs})
    libraries_made = [needed[name] for name in sorted(needed)]
    json.dump({"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
               "metadata": {"component": own("longstop", number,
                                             "application")},
               "components": made + libraries_made,
               "dependencies": dependencies}, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
