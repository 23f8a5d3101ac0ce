"""What dbt has to know of the project in a cycle: less than it looks through in each invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def of_cycles(manifest: Manifest, base: str) -> Manifest:
    """Leave of a parsed project what cycles of a feed can build, and what they read and compare.

    Sources and seeds stay, and every model that keeps rows: by their code is decided in each build
    what is read again. Tests, metrics, exposures and tables that no record of the feed reaches go.

    Parameters
    ----------
    manifest
        The whole project; it is left as it is.
    base
        Name of the feed's base model.

    Returns
    -------
    Manifest
        A copy. What stays depends on nothing that went, and selects as in the whole project.
    """
    cycles = manifest.deepcopy()
    cycles.build_parent_and_child_maps()
    reached = _reached(cycles, f"model.{manifest.metadata.project_name}.{base}")
    kept = {
        name
        for name, node in cycles.nodes.items()
        if node.resource_type in ("seed", "operation")
        or node.config.materialized.startswith("incremental_by_")
    }
    kept |= _read_by(cycles, kept | reached) | reached
    cycles.nodes = {name: node for name, node in cycles.nodes.items() if name in kept}
    for node in cycles.nodes.values():
        if node.resource_type == "model":
            there = kept | cycles.sources.keys()
            node.depends_on.nodes = [name for name in node.depends_on.nodes if name in there]
    for resources in (
        cycles.unit_tests,
        cycles.exposures,
        cycles.semantic_models,
        cycles.metrics,
        cycles.saved_queries,
    ):
        resources.clear()
    cycles.build_parent_and_child_maps()
    return cycles


def _reached(manifest: Any, base: str) -> set[str]:
    """Name the models that are made of a model, and itself."""
    found: set[str] = set()
    ahead = [base]
    while ahead:
        name = ahead.pop()
        if name in manifest.nodes and manifest.nodes[name].resource_type == "model":
            if name not in found:
                ahead += manifest.child_map[name]
            found.add(name)
    return found


def _read_by(manifest: Any, models: set[str]) -> set[str]:
    """Name the nodes that models read, and through views what these read."""
    found: set[str] = set()
    ahead = list(models)
    while ahead:
        for name in manifest.parent_map[ahead.pop()]:
            if name in manifest.nodes and name not in found:
                found.add(name)
                if manifest.nodes[name].config.materialized == "view":
                    ahead.append(name)
    return found
