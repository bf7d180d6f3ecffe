"""Aggregation over the air from Python: a Node process does the radio, NumPy arrays go in and out.

Needs NumPy, Node.js 20 or later, and once `npm ci && npm run build` in the project's folder.
"""

import json
import operator
import subprocess
import tempfile
from pathlib import Path

import numpy as np


class AirfoldLink:
    """A channel and its beamformers, for many rounds; use it in a `with` block, or call `close`.

    problem: file as `airfold beamform` takes it. Its design is ready when the constructor returns:
    `devices` K, `weights` [K] (sum 1), `distortion` of the design for uncorrelated devices.

    RuntimeError: the Node process does not start or has ended; the message has what it wrote.
    """

    def __init__(self, problem, node="node"):
        script = Path(__file__).with_name("link.mjs")
        # a file, not a pipe: nobody has to read it while gradients are written
        self._errors = tempfile.TemporaryFile()
        self._ended = None
        try:
            self._node = subprocess.Popen(
                [str(node), str(script), str(problem)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
            )
        except OSError as error:
            self._errors.close()
            raise RuntimeError(f"{node} does not start, Node.js 20 or later is needed: {error}") from error
        ready = self._guarded(self._read_line)
        self.devices = ready["devices"]
        self.weights = np.array(ready["weights"])
        self.distortion = ready["distortion"]

    def aggregate(self, gradients, seed):
        """One round: gradients [K, Q] -> (estimate of their weighted mean [Q] float64, report).

        gradients: one row per device, any real type, sent as float32. From PyTorch, a flat tensor per device:
            torch.stack(gradients).detach().cpu().numpy()  # bfloat16: .float() first
        seed: whole number >= 0 of the interleaving, the signs and the noise; another one in every round.

        ValueError: gradients or seed that cannot be sent (another K, NaN); the link can be used again.
        TypeError: a seed that is not a whole number.
        RuntimeError: the link has ended.
        """
        gradients = np.asarray(gradients)
        if gradients.ndim != 2:
            raise ValueError(f"gradients: found shape {gradients.shape}, expected [{self.devices}, Q]")
        seed = operator.index(seed)
        report, estimate = self._guarded(self._exchange, np.ascontiguousarray(gradients, dtype="<f4"), seed)
        if "error" in report:
            raise ValueError(report["error"])
        return estimate, report

    def close(self):
        """Ends the Node process. May be called again, and after the process died."""
        self._ended = self._ended or "the link is closed"
        self._stop()
        self._errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _guarded(self, call, *arguments):
        """A call during which the process may die; stopped half-way, the link is of no use any more."""
        if self._ended:
            raise RuntimeError(self._ended)
        try:
            return call(*arguments)
        except EOFError:
            code = self._stop()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip() or "nothing on standard error"
            self._ended = f"the link has ended (code {code}): {said}"
            self.close()
            raise RuntimeError(self._ended) from None
        except BaseException:
            self.close()
            raise

    def _exchange(self, gradients, seed):
        devices, entries = gradients.shape
        request = {"devices": devices, "entries": entries, "seed": seed}
        try:
            self._node.stdin.write(json.dumps(request).encode() + b"\n")
            self._node.stdin.write(gradients)
            self._node.stdin.flush()
        except OSError:
            raise EOFError from None
        report = self._read_line()
        if "error" in report:
            return report, None
        data = self._node.stdout.read(8 * entries)
        if len(data) < 8 * entries:
            raise EOFError
        return report, np.frombuffer(data, dtype="<f8").astype(np.float64)

    def _read_line(self):
        line = self._node.stdout.readline()
        try:
            return json.loads(line)
        except ValueError:  # nothing, or half a line
            raise EOFError from None

    def _stop(self):
        for pipe in (self._node.stdin, self._node.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # the process is gone, and what was to be sent with it
        try:
            return self._node.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._node.kill()
            return self._node.wait()


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
    left = float(np.sum((x - optimum) ** 2) / np.sum(optimum**2))
    print(json.dumps({"squared_error_over_initial": left, **report["distortion"]}))
