"""Compile ``contracts/src`` into ``contracts/artifacts``, or check that the artifact still belongs to the sources.

``python -m contracts.compile --write|--check``. Needs Node and ``npm ci`` in ``contracts/``; users of the artifact
need neither.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SOURCES = HERE / "src"
ARTIFACT = HERE / "artifacts" / "PetraLedger.json"
CONTRACT = "PetraLedger"

STANDALONE = ("BillSettlements", "RelayLists", "StatementVerifier")
"""Contracts of one source file each, with an artifact of their own: they share nothing with the ledger's sources."""

SETTINGS: dict[str, Any] = {
    "evmVersion": "london",
    "optimizer": {"enabled": True, "runs": 10_000},
    "viaIR": True,
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
"""Compiler settings. ``london`` runs on every network, old permissioned ones included; without metadata the bytecode
depends on nothing but the sources, the compiler and these settings."""

INSTALL = (
    "the Solidity compiler is not installed: install Node (>= 18, with npm), then run `npm ci` in contracts/; "
    "only changing the contract needs it"
)


class CompilerMissing(RuntimeError):
    """Node, or the compiler that ``npm ci`` installs, is not there."""


class CompilationFailed(RuntimeError):
    """The compiler refused the sources, or warned."""


def sources(contract: str = CONTRACT) -> dict[str, str]:
    """The Solidity sources of a contract by file name: all but the standalone ones, or the standalone one."""
    paths = [path for path in sorted(SOURCES.glob("*.sol")) if path.stem not in STANDALONE]
    if contract in STANDALONE:
        paths = [SOURCES / f"{contract}.sol"]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def source_sha256(contract: str = CONTRACT) -> str:
    """SHA-256 over names and contents of a contract's sources and over the settings."""
    described = json.dumps([sources(contract), SETTINGS], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def pinned_version() -> str:
    """The compiler version that ``contracts/package.json`` pins."""
    package = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    version: str = package["devDependencies"]["solc"]
    return version


def compile_sources(contract: str = CONTRACT) -> dict[str, Any]:
    """The artifact of a contract's sources as they stand.

    Raises :class:`CompilerMissing` or :class:`CompilationFailed`; warnings are failures.
    """
    compiled = _run_compiler(contract)["contracts"][f"{contract}.sol"][contract]
    return {
        "contract": contract,
        "compiler": f"solc {pinned_version()}",
        "settings": SETTINGS,
        "source_sha256": source_sha256(contract),
        "abi": compiled["abi"],
        "bytecode": "0x" + compiled["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + compiled["evm"]["deployedBytecode"]["object"],
    }


def _run_compiler(contract: str) -> dict[str, Any]:
    node, script = shutil.which("node"), HERE / "node_modules" / "solc" / "solc.js"
    if node is None or not script.exists():
        raise CompilerMissing(INSTALL)
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources(contract).items()},
        "settings": {
            **SETTINGS,
            "outputSelection": {"*": {contract: ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
        },
    }
    with (  # the compiler cuts off what it writes to a pipe, and gives up on a pipe that is not full yet
        tempfile.TemporaryFile("w+", encoding="utf-8") as sent,
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
    ):
        json.dump(request, sent)
        sent.seek(0)
        done = subprocess.run(  # noqa: S603 - our own compiler on our own sources
            [node, str(script), "--standard-json"],
            stdin=sent,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )
        output.seek(0)
        text = output.read()
    if done.returncode:
        raise CompilationFailed(done.stderr.strip() or text.strip())
    answer: dict[str, Any] = json.loads(text[text.index("{") :])
    if messages := [m["formattedMessage"] for m in answer.get("errors", [])]:
        raise CompilationFailed("\n".join(messages))
    return answer


def artifact_path(contract: str = CONTRACT) -> Path:
    """Where a contract's artifact is."""
    return ARTIFACT.with_name(f"{contract}.json")


def recorded(contract: str = CONTRACT) -> dict[str, Any]:
    """A contract's committed artifact."""
    artifact: dict[str, Any] = json.loads(artifact_path(contract).read_text(encoding="utf-8"))
    return artifact


def write(contract: str = CONTRACT) -> str:
    """Compile and write a contract's artifact; returns what to tell the user."""
    path = artifact_path(contract)
    path.parent.mkdir(exist_ok=True)
    artifact = compile_sources(contract)
    path.write_text(json.dumps(artifact, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    size = len(artifact["deployedBytecode"]) // 2 - 1
    return f"wrote {path.relative_to(HERE.parent)}: {size} bytes of code, {artifact['compiler']}"


def check(contract: str = CONTRACT) -> str:
    """Check a contract's artifact against its sources; returns what to tell the user.

    Raises :class:`CompilationFailed` if they differ. Without the compiler only the sources' hash is compared, unless
    the environment says ``PETRA_REQUIRE_ALL=1``: then :class:`CompilerMissing`.
    """
    artifact = recorded(contract)
    if artifact["source_sha256"] != source_sha256(contract):
        raise CompilationFailed("contracts/src changed since the artifact was written; run `make artifacts`")
    try:
        if compile_sources(contract) != artifact:
            raise CompilationFailed("the artifact is not what the sources compile to; run `make artifacts`")
    except CompilerMissing as missing:
        if os.environ.get("PETRA_REQUIRE_ALL") == "1":
            raise
        return f"artifact: the sources' hash agrees; not recompiled, for {missing}"
    return f"artifact: agrees with the sources ({artifact['compiler']})"


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m contracts.compile", description=__doc__)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="compile and write the artifact")
    action.add_argument("--check", action="store_true", help="compile and compare with the artifact")
    try:
        act = write if parser.parse_args().write else check
        for contract in (CONTRACT, *STANDALONE):
            print(f"{contract}: {act(contract)}")
    except (CompilerMissing, CompilationFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
