"""deploy/k8s and deploy/compose.yaml without a cluster or Docker: schemas of Kubernetes (PyPI kubernetes-validate ships them), what
kustomization names is there and nothing else, no key is there twice, selectors meet, and what is promised of every container holds. In --full only: needs PyPI.
"""

import glob
import os
import sys

import kubernetes_validate
import yaml


class Once(yaml.SafeLoader):
    """Refuses a key that is there twice, as kustomize does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        assert len(keys) == len(set(keys)), f"a key is there twice: {keys}"
        return super().construct_mapping(node, deep)


VERSION = "1.33"


def main():
    base = "deploy/k8s/base"
    kustomization = yaml.safe_load(open(f"{base}/kustomization.yaml"))
    files = {os.path.basename(path) for path in glob.glob(f"{base}/*.yaml")} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(kustomization["resources"]) == files, set(kustomization["resources"]) ^ files
    objects = []
    for path in sorted(glob.glob(f"{base}/*.yaml")):
        if path.endswith("kustomization.yaml"):
            continue
        for item in yaml.load_all(open(path), Once):
            kubernetes_validate.validate(item, VERSION, strict=True)
            objects.append(item)
    component = "deploy/k8s/components/pull"
    for path in sorted(glob.glob(f"{component}/*.yaml")):
        for item in yaml.safe_load_all(open(path)):
            if item["kind"] == "Component":
                assert set(item["resources"]) == {os.path.basename(one) for one in glob.glob(f"{component}/*.yaml")} - {"kustomization.yaml"}
                continue
            kubernetes_validate.validate(item, VERSION, strict=True)
            objects.append(item)
    pods = {item["metadata"]["name"]: item["spec"]["template"] for item in objects if item["kind"] == "Deployment"}
    assert len(pods) == 8, list(pods)
    for item in objects:
        spec = item.get("spec", {})
        if item["kind"] in ("Service", "PodDisruptionBudget"):
            labels = spec["selector"].get("matchLabels", spec["selector"])
            assert labels.items() <= pods[item["metadata"]["name"]]["metadata"]["labels"].items(), item
        if item["kind"] == "HorizontalPodAutoscaler":
            assert spec["scaleTargetRef"]["name"] in pods and spec["maxReplicas"] <= 12, item
    for name, pod in pods.items():
        (container,) = pod["spec"]["containers"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"], name
        assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= set(container), name
    # the schemas do refuse what is wrong
    wrong = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replicas": "two"}}
    try:
        kubernetes_validate.validate(wrong, VERSION, strict=True)
    except kubernetes_validate.ValidationError:
        pass
    else:
        sys.exit("the schemas refuse nothing")

    compose = yaml.load(open("deploy/compose.yaml"), Once)
    services = compose["services"]
    for name in pods:
        service = services[name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and name in service["command"], name
    for name, service in services.items():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source.startswith(("/", "$")) or source in compose["volumes"] or os.path.exists(os.path.join("deploy", source)), volume
    scraped = yaml.safe_load(open("deploy/prometheus/prometheus.compose.yml"))["scrape_configs"][0]["static_configs"][0]["targets"]
    assert {target.split(":")[0] for target in scraped} == set(pods) - {"pull"}, scraped
    print(f"manifests: {len(objects)} objects valid for Kubernetes {VERSION}; {len(services)} services of compose agree with them")


main()
