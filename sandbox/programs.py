"""The Go programs the sandbox runs: which packages make a family, how it is stamped, under which key it is kept.

Invariant: the key of a family is a hash of everything that decides its binaries (go.mod, go.sum, own sources, flags),
so a cache never serves a binary that the present checkout would not build.
Versions are written once, in `go/<family>/go.mod`; everything here reads them from there.
"""

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sandbox.errors import SandboxError

GO_FOLDER = Path(__file__).parent / "go"
FAST_FLAGS = ("-gcflags=all=-l -dwarf=false",)
"""No inlining, no debug information (the linker drops it anyway): two fifths less time for a cold build, and nothing here is bound by its speed."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Programs built from one go.mod."""

    name: str
    """Folder under `go/`."""
    module: str
    """The module whose version names the family's; empty for our own."""
    binaries: dict[str, str]
    """File name of a binary -> Go package."""
    flags: tuple[str, ...] = FAST_FLAGS
    stamps: tuple[str, ...] = ()
    """Variables the linker sets to the module's version, `{version}` standing for it (with its v)."""
    assets: dict[str, str] = field(default_factory=dict)
    """Folders of the module kept beside the binaries: name here -> path in the module."""
    peak_memory_gib: float = 2.0
    """Most memory seen while building on two cores; decides how many families build at once."""

    @property
    def folder(self) -> Path:
        """Where its go.mod lies."""
        return GO_FOLDER / self.name

    @cached_property
    def version(self) -> str:
        """Version of the module as go.mod requires it, with its v; `own` for our own sources."""
        if not self.module:
            return "own"
        return module_version((self.folder / "go.mod").read_text(), self.module)

    @property
    def linker_flags(self) -> str:
        """What goes after `-ldflags`."""
        stamps = [f"-X {stamp.format(version=self.version, number=self.version[1:])}" for stamp in self.stamps]
        return " ".join(["-s", "-w", *stamps])

    @cached_property
    def key(self) -> str:
        """Twelve hex digits over everything that decides the binaries."""
        digest = hashlib.sha256()
        for source in sorted(self.folder.iterdir()):
            digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
        recipe = [*self.flags, self.linker_flags, *sorted(self.binaries), *sorted(self.assets)]
        digest.update("\0".join(recipe).encode())
        return digest.hexdigest()[:12]

    def kept_in(self, cache: Path) -> Path:
        """The folder that holds the finished binaries."""
        return cache / "programs" / f"{self.name}-{self.version}-{self.key}"

    def missing(self, cache: Path) -> list[str]:
        """Binaries and assets that are not there yet; nothing is half written, so being there is being whole."""
        kept = self.kept_in(cache)
        return [name for name in (*self.binaries, *self.assets) if not (kept / name).exists()]


def module_version(go_mod: str, module: str) -> str:
    """The version that the text of a go.mod requires of `module`.

    Raises: SandboxError when it does not require it.
    """
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)}\s+(v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise SandboxError("go.mod", f"it does not require {module}", "Check out the committed file again.")
    return found.group(1)


KUBERNETES_PROGRAMS = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
)  # fmt: skip

ETCD = Family(name="etcd", module="go.etcd.io/etcd/server/v3", binaries={"etcd": "go.etcd.io/etcd/server/v3"})
KUBERNETES = Family(
    name="kubernetes",
    module="k8s.io/kubernetes",
    binaries={name: f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES_PROGRAMS},
    # The version that the API server reports: clients and KEDA decide by it.
    stamps=(
        "k8s.io/component-base/version.gitVersion={version}",
        "k8s.io/client-go/pkg/version.gitVersion={version}",
    ),
)
PULUMI = Family(
    name="pulumi",
    module="github.com/pulumi/pulumi/pkg/v3",
    binaries={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
    # Its figures are compared, so it is built as its makers build it, with inlining.
    flags=("-gcflags=all=-dwarf=false", "-tags=osusergo,grpcnotrace"),
    stamps=("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={version}",),
)
COREDNS = Family(
    name="coredns", module="github.com/coredns/coredns", binaries={"coredns": "github.com/coredns/coredns"}
)
KEDA = Family(
    name="keda",
    module="github.com/kedacore/keda/v2",
    binaries={
        "keda": "github.com/kedacore/keda/v2/cmd/operator",
        "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
    },
    stamps=("github.com/kedacore/keda/v2/version.Version={number}",),
    assets={"config": "config"},
    peak_memory_gib=3.0,
)
METRICS_SERVER = Family(
    name="metrics-server",
    module="sigs.k8s.io/metrics-server",
    binaries={"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
    stamps=("k8s.io/component-base/version.gitVersion={version}",),
    assets={"manifests": "manifests/base"},
)
PAUSE = Family(name="pause", module="", binaries={"pause": "celery-fleet.local/sandbox/pause"}, peak_memory_gib=0.3)

FAMILIES = (PAUSE, ETCD, KUBERNETES, PULUMI, COREDNS, METRICS_SERVER, KEDA)
"""In the order in which a start needs them."""


def program(cache: Path, name: str) -> Path:
    """Where the binary called `name` is kept, built or not."""
    for family in FAMILIES:
        if name in family.binaries:
            return family.kept_in(cache) / name
    raise KeyError(name)
