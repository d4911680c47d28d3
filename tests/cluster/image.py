#!/usr/bin/env python3
"""Makes a one-layer container image FROM scratch, as a docker-archive tar: for machines that can pull no image.

    image.py OUT.tar NAME:TAG[,NAME:TAG...] [options] SOURCE=DEST...

SOURCE is a file, a folder (taken with all that is in it), or @TARGET for a symbolic link. `load`, `ctr images import`,
`docker load` and `kind load image-archive` take the result. The same files give the same bytes.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tarfile

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532::/:/bin/sh\n"
GROUP = b"root:x:0:\nnonroot:x:65532:\n"
NSSWITCH = b"passwd: files\ngroup: files\nhosts: files dns\n"
SEARCH_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}


def libraries(path):
    """The shared libraries of one ELF file, where the loader of this machine finds them."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return []
    listed = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    if "not found" in listed:
        sys.exit(f"image.py: {path} lacks a library:\n{listed}")
    return re.findall(r"(/\S+) \(0x", listed)


def place_of(library):
    """Without /etc/ld.so.cache the loader looks only into the system's own folders."""
    return library if library.startswith(("/lib", "/usr/lib")) else "/usr/lib/" + os.path.basename(library)


def folder_entries(source, dest):
    for folder, dirs, files in os.walk(source):
        base = os.path.normpath(os.path.join(dest, os.path.relpath(folder, source)))
        yield base, ("dir",)
        for name in files + [d for d in dirs if os.path.islink(os.path.join(folder, d))]:
            path = os.path.join(folder, name)
            entry = ("link", os.readlink(path)) if os.path.islink(path) else ("file", path)
            yield os.path.join(base, name), entry


def entries_of(items, with_libraries):
    """{place in the image: ("file", source) | ("link", target) | ("data", bytes) | ("dir",)}"""
    entries = {"tmp": ("dir",)}
    for name, data in (("etc/passwd", PASSWD), ("etc/group", GROUP), ("etc/nsswitch.conf", NSSWITCH)):
        entries[name] = ("data", data)
    for item in items:
        source, dest = item.split("=", 1)
        dest = os.path.normpath(dest).strip("/")
        if source.startswith("@"):
            entries[dest] = ("link", source[1:])
        elif os.path.isdir(source):
            entries.update(folder_entries(source, dest))
        else:
            entries[dest] = ("file", source)
    if with_libraries:
        for kind, *source in list(entries.values()):
            for library in libraries(source[0]) if kind == "file" else []:
                entries.setdefault(place_of(library).lstrip("/"), ("file", library))
    for place in list(entries):
        while place := os.path.dirname(place):
            entries.setdefault(place, ("dir",))
    return entries


def add_bytes(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))


def add_entry(tar, place, kind, *rest):
    info = tarfile.TarInfo(place)
    if kind == "data":
        add_bytes(tar, place, rest[0])
    elif kind == "file":
        with open(rest[0], "rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            info.mode = 0o755 if os.access(rest[0], os.X_OK) else 0o644
            tar.addfile(info, file)
    elif kind == "link":
        info.type, info.linkname = tarfile.SYMTYPE, rest[0]
        tar.addfile(info)
    else:
        info.type, info.mode = tarfile.DIRTYPE, 0o1777 if place == "tmp" else 0o755
        tar.addfile(info)


def layer_of(entries):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for place in sorted(entries):  # a folder sorts before what is in it
            add_entry(tar, place, *entries[place])
    return layer.getvalue()


def config_of(args, digest):
    return {
        "architecture": ARCHITECTURE[platform.machine()],
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {
            "Env": [SEARCH_PATH] + args.env,
            "Entrypoint": args.entrypoint.split(",") if args.entrypoint else None,
            "User": args.user,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]},
        "history": [{"created_by": "tests/cluster/image.py"}],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("names", help="NAME:TAG, several with commas")
    parser.add_argument("files", nargs="+", metavar="SOURCE=DEST")
    parser.add_argument("--ldd", action="store_true", help="add the shared libraries that the files need")
    parser.add_argument("--entrypoint", default="", help="words with commas between")
    parser.add_argument("--user", default="")
    parser.add_argument("--env", action="append", default=[], metavar="K=V")
    args = parser.parse_args()

    layer = layer_of(entries_of(args.files, args.ldd))
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(config_of(args, digest)).encode()
    config_name, layer_name = hashlib.sha256(config).hexdigest() + ".json", digest + "/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": args.names.split(","), "Layers": [layer_name]}]
    with tarfile.open(args.out, "w") as tar:
        add_bytes(tar, config_name, config)
        add_bytes(tar, layer_name, layer)
        add_bytes(tar, "manifest.json", json.dumps(manifest).encode())


if __name__ == "__main__":
    main()
