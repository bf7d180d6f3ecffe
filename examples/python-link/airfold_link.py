"""Aggregation over the air from Python: a Node process does the radio, NumPy arrays go in and out."""

import json
import subprocess
from pathlib import Path

import numpy as np


class AirfoldLink:
    """A channel and its beamformers, for many rounds.

    problem: file as `airfold beamform` takes it. Use it in a `with` block.
    """

    def __init__(self, problem):
        script = Path(__file__).with_name("link.mjs")
        self._node = subprocess.Popen(
            ["node", str(script), str(problem)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def aggregate(self, gradients, seed):
        """gradients [K, Q] -> (estimate of their weighted mean [Q], report); another seed in every round."""
        gradients = np.ascontiguousarray(gradients, dtype="<f4")
        devices, entries = gradients.shape
        request = {"devices": devices, "entries": entries, "seed": seed}
        try:
            self._node.stdin.write(json.dumps(request).encode() + b"\n")
            self._node.stdin.write(gradients.tobytes())
            self._node.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._node.stdout.readline()
        if not line:
            raise RuntimeError("the link has ended, see what it wrote on standard error")
        estimate = np.frombuffer(self._node.stdout.read(8 * entries), dtype="<f8")
        return estimate, json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._node.stdin.close()
        self._node.wait()


if __name__ == "__main__":
    # federated least squares: f_k(x) = ||x - c_k||^2 / 2
    centres = np.random.default_rng(1).normal(size=(10, 64))
    x = np.zeros(64)
    with AirfoldLink(Path(__file__).parents[1] / "beamform.json") as link:
        for round_ in range(20):
            estimate, report = link.aggregate(x - centres, seed=round_)
            x = x - 0.5 * estimate
    # how far from the optimum, relative to where it started
    optimum = centres.mean(axis=0)
    print(json.dumps({"left": float(np.sum((x - optimum) ** 2) / np.sum(optimum**2)), **report["distortion"]}))
