"""The manifests of kubernetes/ as `kubectl kustomize` renders them: resources, patches, generators and images."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devstack.state import ROOT

Manifest = dict[str, Any]
BASE = ROOT / "kubernetes" / "base"
EXAMPLE = ROOT / "kubernetes" / "overlays" / "example"
KEYS = ("name", "mountPath")
"""What tells the items of a list apart."""


def render(directory: Path) -> list[Manifest]:
    """What a kustomization makes; only its fields that ours use are understood, and names get no hash."""
    kustomization: Manifest = yaml.safe_load((directory / "kustomization.yaml").read_text())
    found = [each for name in kustomization["resources"] for each in resources(directory / name)]
    for generated in kustomization.get("configMapGenerator", []):
        generate(found, "ConfigMap", generated, dict(literals(directory, generated)))
    for patch in kustomization.get("patches", []):
        change = yaml.safe_load((directory / patch["path"]).read_text())
        found = [patched(each, change) if is_meant(each, patch["target"]) else each for each in found]
    for container in (one for each in found for one in containers(each)):
        container["image"] = tagged(container["image"], kustomization.get("images", []))
    return found


def resources(path: Path) -> list[Manifest]:
    return render(path) if path.is_dir() else [*yaml.safe_load_all(path.read_text())]


def literals(directory: Path, generated: Manifest) -> Iterator[tuple[str, str]]:
    texts = [line for name in generated.get("envs", []) for line in (directory / name).read_text().splitlines()]
    for line in [*texts, *generated.get("literals", [])]:
        if line and line[0] != "#":
            name, _, value = line.partition("=")
            yield name, value


def generate(found: list[Manifest], kind: str, generated: Manifest, data: dict[str, str]) -> None:
    """Add a ConfigMap, or merge into the one that is there."""
    if generated.get("behavior") == "merge":
        [there] = [each for each in found if (each["kind"], each["metadata"]["name"]) == (kind, generated["name"])]
        there["data"] |= data
    else:
        found.append({"apiVersion": "v1", "kind": kind, "metadata": {"name": generated["name"]}, "data": data})


def is_meant(manifest: Manifest, target: Mapping[str, str]) -> bool:
    if manifest["kind"] != target["kind"]:
        return False
    label, _, value = target.get("labelSelector", "=").partition("=")
    found = manifest["metadata"].get("labels", {}).get(label.removesuffix("!"))
    return not label or (found != value if label.endswith("!") else found == value)


def patched(manifest: Manifest, change: Manifest) -> Manifest:
    """The manifest with a change that says nothing about its kind and name."""
    labels = {"labels": change["metadata"]["labels"]} if "labels" in change["metadata"] else {}
    merged: Manifest = merge(manifest, {"metadata": labels, "spec": change["spec"]})
    return merged


def merge(there: Any, change: Any) -> Any:
    """A strategic merge: maps by key, lists of maps by what tells their items apart, and all else is replaced."""
    if isinstance(there, dict) and isinstance(change, dict):
        both = {key: merge(there[key], change[key]) for key in there.keys() & change.keys()}
        return copy.deepcopy({**there, **change, **both})
    if isinstance(there, list) and (key := key_of([*there, *change])):
        old, new = ({each[key]: each for each in items} for items in (there, change))
        # As kustomize does: what is new comes first.
        return [new[name] for name in new if name not in old] + [
            merge(old[name], new[name]) if name in new else old[name] for name in old
        ]
    return change


def key_of(items: list[Any]) -> str | None:
    return next((key for key in KEYS if all(isinstance(each, dict) and key in each for each in items)), None)


def tagged(image: str, images: list[Mapping[str, str]]) -> str:
    name, _, tag = image.partition(":")
    for each in images:
        if each["name"] == name.rpartition("/")[2]:
            return f"{each.get('newName', name)}:{each['newTag']}"
    return f"{name}:{tag}"


def containers(manifest: Manifest) -> list[Manifest]:
    template = manifest["spec"].get("template", {}) if manifest["kind"] in ("Deployment", "StatefulSet", "Job") else {}
    return list(template.get("spec", {}).get("containers", []))


@dataclass(frozen=True)
class Pods:
    """A Deployment, StatefulSet or Job, and the settings that its one container gets."""

    manifest: Manifest
    config: Mapping[str, Mapping[str, str]]
    """The data of every ConfigMap."""

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.manifest["spec"]["template"]["metadata"]["labels"])

    @property
    def spec(self) -> Manifest:
        spec: Manifest = self.manifest["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> Manifest:
        [one] = self.spec["containers"]
        return dict(one)

    @property
    def secrets(self) -> dict[str, tuple[str, str]]:
        """Variable -> name and key of its Secret."""
        references = {each["name"]: each.get("valueFrom", {}).get("secretKeyRef") for each in self.own}
        return {name: (each["name"], each["key"]) for name, each in references.items() if each}

    @property
    def own(self) -> list[Manifest]:
        return list(self.container.get("env", []))

    @property
    def environment(self) -> dict[str, str]:
        """With the name of a Secret in place of its content, in the order in which Kubernetes fills in `$(NAME)`."""
        found: dict[str, str] = {}
        for source in self.container.get("envFrom", []):
            found |= self.config[source["configMapRef"]["name"]]
        for each in self.own:
            value = each.get("value", "")
            for name, (secret, _) in self.secrets.items():
                if name in found:
                    value = value.replace(f"$({name})", secret)
            found[each["name"]] = self.secrets[each["name"]][0] if each["name"] in self.secrets else value
        return found


def pods_of(manifests: list[Manifest]) -> dict[str, Pods]:
    """By name."""
    config = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "ConfigMap"}
    return {each["metadata"]["name"]: Pods(each, config) for each in manifests if containers(each)}
