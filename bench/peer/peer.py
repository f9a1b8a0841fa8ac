#!/usr/bin/env python3
"""The four MonoLoss autoencoders in plain dense PyTorch, for comparison with the .NET ones.

Written from the formulas of the MonoLoss paper (arXiv 2602.12403) the way a PyTorch user would, and as the official code
is: B x M activations, torch.topk, autograd, torch.optim.Adam. Needs Python 3, PyTorch 1.13 or later and numpy.
On a GPU: --device cuda, --tf32 for dense products on tensor cores, --compile for torch.compile (PyTorch 2).

  peer.py                                   seconds per step of every model, one JSON line each
  peer.py --model topk --mono 0.09          one model
  peer.py --work monoscore                  MonoScore of a dataset, in two dense passes
  peer.py --check tests/goldens/*.safetensors   checks that the peer reproduces the official code
  peer.py --serve ...                       runs N steps (or passes) for every line "N" on stdin: `bench -- compare` uses this
"""

import argparse
import ctypes
import glob
import json
import math
import os
import statistics
import struct
import sys
import time

try:
    import numpy as np
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"peer.py: {error}; on Debian: apt install python3-torch")

SCALE_EPSILON = 1e-8  # added to max - min
BATCH_DIVISOR = 1e-8  # added to the denominator of a batch's score
DATASET_DIVISOR = 1e-12  # added to the denominator of a dataset's score


# ---- MonoScore and MonoLoss ---------------------------------------------------------------------------------------------


def mono_terms(p, z, low, high):
    """u, v and w of every latent: sums over the rows of a, a squared and a p, where a = z scaled to 0 ... 1."""
    a = (z - low) / (high - low + SCALE_EPSILON)
    return a.sum(0), a.square().sum(0), a.t() @ p


def mono_fraction(u, v, w):
    """Numerator and denominator of MonoScore: sums over pairs of a_i a_j cos(p_i, p_j) and of a_i a_j."""
    return ((w * w).sum(1) - v) / 2, (u * u - v) / 2


def mono_loss(x, z):
    """MonoLoss, which is 1 - the mean score of the batch over active latents, and that mean."""
    p = F.normalize(x, dim=1, eps=1e-8)
    numerator, denominator = mono_fraction(*mono_terms(p, z, z.min(0).values, z.max(0).values))
    active = denominator > 1e-8
    if not active.any():
        return torch.ones((), device=x.device), torch.zeros((), device=x.device)
    mean = (numerator / (denominator + BATCH_DIVISOR))[active].mean()
    return 1 - mean, mean.detach()


@torch.no_grad()
def mono_score(batches, encode):
    """MonoScore of every latent over a dataset in two dense passes: the extremes, then the sums."""
    low = high = None
    for x in batches:
        z = encode(x)
        least, most = z.min(0).values, z.max(0).values
        low = least if low is None else torch.minimum(low, least)
        high = most if high is None else torch.maximum(high, most)
    u = v = w = 0
    for x in batches:
        terms = mono_terms(F.normalize(x, dim=1, eps=1e-8), encode(x), low, high)
        u, v, w = u + terms[0], v + terms[1], w + terms[2]
    numerator, denominator = mono_fraction(u, v, w)
    return torch.where(denominator > 1e-8, numerator / (denominator + DATASET_DIVISOR), torch.zeros_like(numerator))


# ---- the autoencoders ---------------------------------------------------------------------------------------------------


def layer_norm(x):
    mean = x.mean(1, keepdim=True)
    centered = x - mean
    deviation = centered.std(1, keepdim=True)
    return centered / (deviation + 1e-5), mean, deviation


def rectangle(t):
    return ((t > -0.5) & (t < 0.5)).to(t.dtype)


class JumpReLUFunction(torch.autograd.Function):
    """z = pre where pre > exp(log_threshold), with the straight-through gradient to the threshold."""

    @staticmethod
    def forward(ctx, pre, log_threshold, bandwidth):
        threshold = log_threshold.exp()
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return pre * (pre > threshold)

    @staticmethod
    def backward(ctx, gradient):
        pre, threshold = ctx.saved_tensors
        near = rectangle((pre - threshold) / ctx.bandwidth)
        return gradient * (pre > threshold), (-(threshold / ctx.bandwidth) * near * gradient).sum(0), None


class L0Function(torch.autograd.Function):
    """1 where z > exp(log_threshold), with the straight-through gradient to the threshold."""

    @staticmethod
    def forward(ctx, z, log_threshold, bandwidth):
        threshold = log_threshold.exp()
        ctx.save_for_backward(z, threshold)
        ctx.bandwidth = bandwidth
        return (z > threshold).to(z.dtype)

    @staticmethod
    def backward(ctx, gradient):
        z, threshold = ctx.saved_tensors
        near = rectangle((z - threshold) / ctx.bandwidth)
        return None, (-(1 / ctx.bandwidth) * near * gradient).sum(0), None


class Autoencoder:
    """What the four models share: parameters under their names in the goldens, dead latents, and the order of a step."""

    clips = True

    def __init__(self, settings, parameters):
        self.settings = settings
        device = settings.device
        self.parameters = {name: value.to(device, copy=True).requires_grad_() for name, value in parameters.items()}
        self.__dict__.update(self.parameters)  # self.W_enc and so on
        self.silent = torch.zeros(settings.latents, dtype=torch.int64, device=device)
        self.zero = torch.zeros((), device=device)
        self.adam = torch.optim.Adam(self.parameters.values(), lr=settings.lr, betas=(0.9, 0.999), eps=settings.adam_eps)

    @classmethod
    def initial(cls, settings, random):
        """Draws W_enc uniformly; W_dec is its transpose with rows of length 1, and biases are 0."""
        bound = math.sqrt(6 / settings.latents)
        encoder = torch.from_numpy(random.uniform(-bound, bound, (settings.d, settings.latents)).astype(np.float32))
        return {
            "W_enc": encoder,
            "b_enc": torch.zeros(settings.latents),
            "W_dec": F.normalize(encoder.T, dim=1).contiguous(),
            "b_dec": torch.zeros(settings.d),
        }

    def normalized(self, x):
        return layer_norm(x) if self.settings.normalize else (x, 0, 1)

    def encode(self, x):
        return self.latents(self.normalized(x)[0])

    def latents(self, x):
        raise NotImplementedError

    def decode(self, z, mean, deviation):
        return (z @ self.W_dec + self.b_dec) * deviation + mean

    def count_silent(self, z):
        self.silent = torch.where((z > 0).any(0), torch.zeros_like(self.silent), self.silent + 1)

    def mono(self, x, z):
        coefficient = self.settings.mono
        loss, mean = mono_loss(x, z) if coefficient > 0 else (self.zero, self.zero)
        return coefficient * loss, {"mono_loss_val": loss, "mono_score": mean}

    def dead_count(self):
        return int((self.silent > self.settings.dead_after).sum())

    def constrain(self):
        """Scales decoder rows to length 1 and removes the part of their gradient along the rows."""
        with torch.no_grad():
            decoder = self.W_dec
            decoder.div_(decoder.norm(dim=1, keepdim=True))
            decoder.grad -= (decoder.grad * decoder).sum(1, keepdim=True) * decoder

    def step(self, x):
        """Runs one complete training step as the official code does; returns its metrics."""
        self.adam.zero_grad(set_to_none=True)
        loss, metrics = self.loss(x)
        loss.backward()
        if self.clips:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.settings.max_grad_norm)
            metrics["grad_norm"] = norm
        self.constrain()
        self.adam.step()
        metrics = {name: float(value) for name, value in metrics.items()}
        return {"loss": loss.item(), "dead": self.dead_count(), **metrics}


class BatchTopK(Autoencoder):
    def latents(self, x):
        self.acts = F.relu((x - self.b_dec) @ self.W_enc)
        flat = self.acts.flatten()
        kept = flat.topk(self.settings.k * x.shape[0], sorted=False)
        return torch.zeros_like(flat).scatter(0, kept.indices, kept.values).reshape(self.acts.shape)

    def auxiliary(self, x, recon):
        dead = self.silent >= self.settings.dead_after
        if not dead.any():
            return self.zero
        acts = self.acts[:, dead]
        kept = acts.topk(min(self.settings.aux_k, acts.shape[1]), dim=1, sorted=False)
        z = torch.zeros_like(acts).scatter(1, kept.indices, kept.values)
        return self.settings.aux_coef * (z @ self.W_dec[dead] - (x - recon)).square().mean()

    def loss(self, x):
        seen, mean, deviation = self.normalized(x)
        z = self.latents(seen)
        recon = self.decode(z, mean, deviation)
        self.count_silent(z)
        error = (recon - x).square().mean()
        auxiliary = self.auxiliary(x, recon)
        mono, metrics = self.mono(seen, z)
        active = (z > 0).sum(1, dtype=torch.float32).mean()
        return error + auxiliary + mono, {"l2_loss": error, "auxk_loss": auxiliary, "num_active": active, **metrics}


class Vanilla(Autoencoder):
    def latents(self, x):
        return F.relu(torch.addmm(self.b_enc, x - self.b_dec, self.W_enc))

    def loss(self, x):
        seen, mean, deviation = self.normalized(x)
        z = self.latents(seen)
        recon = self.decode(z, mean, deviation)
        self.count_silent(z)
        error = (recon - x).square().mean()
        l1 = self.settings.l1_coef * z.abs().sum(1).mean()
        mono, metrics = self.mono(seen, z)
        active = (z > 0).sum(1, dtype=torch.float32).mean()
        return error + l1 + mono, {"l2_loss": error, "num_active": active, **metrics}


class JumpReLU(Autoencoder):
    @classmethod
    def initial(cls, settings, random):
        return {**super().initial(settings, random), "jumprelu.log_threshold": torch.zeros(settings.latents)}

    @property
    def log_threshold(self):
        return self.parameters["jumprelu.log_threshold"]

    def latents(self, x):
        return JumpReLUFunction.apply(F.relu(torch.addmm(self.b_enc, x, self.W_enc)), self.log_threshold, self.settings.bandwidth)

    def loss(self, x):
        seen, mean, deviation = self.normalized(x)
        z = self.latents(seen)
        recon = self.decode(z, mean, deviation)
        self.count_silent(z)
        error = (recon - x).square().mean()
        l0 = L0Function.apply(z, self.log_threshold, self.settings.bandwidth).sum(1).mean()
        mono, metrics = self.mono(seen, z)
        loss = error + self.settings.l1_coef * l0 + mono
        return loss, {"l2_loss": error, "num_active": l0, **metrics}


class TopK(Autoencoder):
    """Always layer-normalized; tied: the decoder is the encoder's weight."""

    clips = False

    @classmethod
    def initial(cls, settings, random):
        bound = 1 / math.sqrt(settings.d)
        weight = torch.from_numpy(random.uniform(-bound, bound, (settings.latents, settings.d)).astype(np.float32))
        return {
            "encoder.weight": F.normalize(weight, dim=1),
            "latent_bias": torch.zeros(settings.latents),
            "pre_bias": torch.zeros(settings.d),
        }

    @property
    def encoder(self):
        return self.parameters["encoder.weight"]

    @property
    def decoder(self):
        """M x D, a view: the untied weight is stored D x M."""
        untied = self.parameters.get("decoder.weight")
        return self.encoder if untied is None else untied.T

    @staticmethod
    def largest(pre, k):
        kept = pre.topk(k, dim=1, sorted=False)
        return torch.zeros_like(pre).scatter(1, kept.indices, F.relu(kept.values))

    def normalized(self, x):
        return layer_norm(x)

    def latents(self, x):
        self.pre = F.linear(x - self.pre_bias, self.encoder, self.latent_bias)
        return self.largest(self.pre, self.settings.k)

    def decode(self, z, mean, deviation):
        return (z @ self.decoder + self.pre_bias) * deviation + mean

    def count_silent(self, z):
        self.silent = torch.where((z > 0).any(0), torch.ones_like(self.silent), self.silent + 1)

    def auxiliary_latents(self):
        dead = self.silent > self.settings.dead_after
        count = int(dead.sum())
        if count == 0:
            return torch.zeros_like(self.pre)
        masked = self.pre.masked_fill(~dead, -math.inf)
        return self.largest(masked, min(self.settings.aux_k, count))

    @staticmethod
    def relative_error(recon, target):
        return ((recon - target).square().mean(1) / target.square().mean(1)).mean()

    def loss(self, x):
        seen, mean, deviation = self.normalized(x)
        z = self.latents(seen)
        recon = self.decode(z, mean, deviation)
        self.count_silent(z)
        error = self.relative_error(recon, x)
        target = x - recon.detach() + self.pre_bias.detach()
        auxiliary = self.relative_error(self.decode(self.auxiliary_latents(), mean, deviation), target)
        mono, metrics = self.mono(x, z)
        active = (z > 0).sum(1, dtype=torch.float32).mean()
        loss = error + self.settings.aux_coef * auxiliary + mono
        return loss, {"nmse_loss": error, "auxk_loss": auxiliary, "num_active": active, **metrics}

    def constrain(self):
        with torch.no_grad():
            untied = self.parameters.get("decoder.weight")
            if untied is None:
                self.encoder.div_(self.encoder.norm(dim=1, keepdim=True))
            else:
                untied.div_(untied.norm(dim=0, keepdim=True))
                untied.grad -= (untied.grad * untied).sum(0, keepdim=True) * untied


MODELS = {"batch_topk": BatchTopK, "topk": TopK, "jumprelu": JumpReLU, "vanilla": Vanilla}


# ---- timing -------------------------------------------------------------------------------------------------------------


def unit_rows(rows, features, random):
    """Rows of length 1 around 64 directions, as on the .NET side."""
    centers = random.standard_normal((64, features))
    x = 0.6 * centers[random.integers(0, 64, rows)] + 0.8 * random.standard_normal((rows, features))
    return torch.from_numpy((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32))


def peak_bytes(options):
    """Peak memory so far: of the GPU, or else the process's largest resident size."""
    if options.device != "cpu":
        return torch.cuda.max_memory_allocated(options.device)
    # On Linux getrusage's figure includes that of the parent, so try /proc first.
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def blas_name():
    """The BLAS that PyTorch calls; for OpenBLAS, with the kernels it chose."""
    for path in [None, *glob.glob("/usr/lib/*/libopenblas.so.0")]:
        try:
            corename = ctypes.CDLL(path).openblas_get_corename
        except (OSError, AttributeError):
            continue
        corename.restype = ctypes.c_char_p
        return "OpenBLAS " + corename().decode()
    return "MKL" if torch.backends.mkl.is_available() else "unknown BLAS"


def workload(options):
    """A function that does one unit of work: a training step, or MonoScore of a dataset."""
    random = np.random.default_rng(42)
    model_type = MODELS[options.model]
    model = model_type(options, model_type.initial(options, random))
    if options.bias != 0:
        with torch.no_grad():
            model.parameters["latent_bias" if options.model == "topk" else "b_enc"].fill_(options.bias)
    batches = [unit_rows(options.rows, options.d, random).to(options.device) for _ in range(max(1, options.samples // options.rows))]
    if options.compile:
        model.encode, model.loss = torch.compile(model.encode), torch.compile(model.loss)
    if options.work == "monoscore":
        return lambda: float(mono_score(batches, model.encode).mean())
    position = iter(range(sys.maxsize))
    return lambda: model.step(batches[next(position) % len(batches)])


def synchronize(options):
    if options.device != "cpu":
        torch.cuda.synchronize(options.device)


def seconds(work, options):
    synchronize(options)
    start = time.perf_counter()
    work()
    synchronize(options)
    return time.perf_counter() - start


def description(options):
    where = f"{blas_name()}, {torch.get_num_threads()} threads" if options.device == "cpu" else torch.cuda.get_device_name(options.device)
    return f"PyTorch {torch.__version__}, {where}{', TF32' * options.tf32}{', compiled' * options.compile}"


def measure(options):
    work = workload(options)
    work()
    times = [seconds(work, options) for _ in range(options.steps)]
    print(json.dumps({
        "work": options.work, "model": options.model, "mono": options.mono, "seconds": statistics.median(times),
        "peak_bytes": peak_bytes(options), "peer": description(options),
    }), flush=True)


def serve(options):
    work = workload(options)
    print(json.dumps({"peer": description(options)}), flush=True)
    for line in sys.stdin:
        times = [seconds(work, options) for _ in range(int(line))]
        print(json.dumps({"seconds": times, "peak_bytes": peak_bytes(options)}), flush=True)


# ---- goldens ------------------------------------------------------------------------------------------------------------


def read_safetensors(path, device):
    """Tensors and metadata of a safetensors file: a header's length (8 bytes), the header in JSON, raw values."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        raw = file.read()
    types = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64}
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        values = np.frombuffer(raw[start:end], types[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy()).to(device)
    return tensors, metadata


class Check:
    """Collects the figures that deviate from a golden by more than their tolerance."""

    def __init__(self):
        self.failures = []

    def near(self, what, expected, actual, tolerance):
        expected, actual = (torch.as_tensor(value, dtype=torch.float64).cpu() for value in (expected, actual))
        worst = float((expected - actual).abs().max())
        if not worst <= tolerance:
            self.failures.append(f"{what} is off by {worst:.2e}, more than {tolerance:.2e}")

    def relative(self, what, expected, actual, tolerance):
        self.near(what, expected, actual, tolerance * abs(float(expected)))


def golden_model(tensors, metadata, device):
    defaults = vars(arguments([]))
    settings = argparse.Namespace(**{
        **defaults, "device": device,
        "d": int(metadata["d"]), "latents": int(metadata["latents"]), "k": int(metadata["k"]),
        "normalize": metadata["normalize"] == "True", "mono": float(metadata.get("mono_coef", 0)),
        "aux_k": int(metadata.get("aux_k", 0)), "aux_coef": float(metadata.get("aux_coef", 0)),
        "l1_coef": float(metadata.get("l1_coef", 0)), "bandwidth": float(metadata.get("bandwidth", 0.1)),
        "dead_after": int(metadata.get("dead_after_batches", 1)), "lr": float(metadata.get("lr", 1e-4)),
        "max_grad_norm": float(metadata.get("max_grad_norm", "inf")),
    })
    initial = {name[len("init."):]: value for name, value in tensors.items() if name.startswith("init.")}
    return MODELS[metadata["model"]](settings, initial)


def check_run(name, tensors, metadata, check, device):
    model = golden_model(tensors, metadata, device)
    # This run amplifies rounding: even a replay in float64 ends 2e-4 off.
    sensitive = name.startswith("vanilla_mono")
    parts = 1e-4 if sensitive else 2e-5
    tolerances = {
        "loss": 2e-5, "l2_loss": parts, "nmse_loss": parts, "auxk_loss": parts, "mono_loss_val": parts, "mono_score": parts,
        "num_active": 1e-3 if sensitive else 0, "num_dead": 0, "num_dead_features": 0, "grad_norm": 5e-3 if sensitive else 1e-4,
    }
    with torch.no_grad():
        check.near("latents0", tensors["latents0"], model.encode(tensors["batches"][0]), 1e-5)
    for step, x in enumerate(tensors["batches"]):
        metrics = model.step(x)
        metrics["num_dead"] = metrics["num_dead_features"] = metrics["dead"]
        for metric, tolerance in tolerances.items():
            if f"step.{metric}" in tensors:
                check.relative(f"{metric} of step {step}", tensors[f"step.{metric}"][step], metrics.get(metric, 0), tolerance)
    for parameter, value in model.parameters.items():
        check.near(parameter, tensors[f"final.{parameter}"], value.detach(), 2e-3 if sensitive else 1e-4)


def check_scores(tensors, metadata, check, device):
    model = golden_model(tensors, metadata, device)
    batches = tensors["features"].split(int(metadata["batch"]))
    check.near("scores", tensors["scores"], mono_score(batches, model.encode), 1e-6)


def check_monoscore(tensors, check):
    x, z = tensors["embeddings"], tensors["activations"].requires_grad_()
    check.near("score_linear", tensors["score_linear"], mono_score([x], lambda _: z), 1e-6)
    loss, _ = mono_loss(x, z)
    loss.backward()
    check.near("batch_loss", tensors["batch_loss"], loss.detach(), 1e-6)
    check.near("batch_loss_grad", tensors["batch_loss_grad"], z.grad, 1e-6)


def check_golden(path, device):
    """Prints one line about a golden; returns whether the peer reproduces it."""
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    tensors, metadata = read_safetensors(path, device)
    check = Check()
    if "step.loss" in tensors:
        check_run(name, tensors, metadata, check, device)
    elif "score_linear" in tensors:
        check_monoscore(tensors, check)
    elif "scores" in tensors:
        check_scores(tensors, metadata, check, device)
    else:
        check.failures.append("contains nothing that the peer computes")
    print(f"{name}: {check.failures[0] if check.failures else 'reproduced'}")
    return not check.failures


# ---- command line -------------------------------------------------------------------------------------------------------


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", nargs="+", metavar="GOLDEN", help="replay official runs and compare the results")
    parser.add_argument("--serve", action="store_true", help="run N steps for every line N on standard input")
    parser.add_argument("--work", choices=["step", "monoscore"], default="step")
    parser.add_argument("--model", choices=MODELS, help="default: all")
    parser.add_argument("--mono", type=float, default=0, help="weight of MonoLoss; 0 for none")
    parser.add_argument("--normalize", action="store_true", help="layer-normalize the input")
    parser.add_argument("--bias", type=float, default=0, help="initial value of the encoder's bias")
    parser.add_argument("--l1-coef", type=float, default=1e-4)
    parser.add_argument("--bandwidth", type=float, default=1e-3)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--rows", type=int, default=2048, help="B")
    parser.add_argument("--features", dest="d", type=int, default=768, help="D")
    parser.add_argument("--latents", type=int, default=8192, help="M")
    parser.add_argument("-k", "--active", dest="k", type=int, default=64, help="active latents per row")
    parser.add_argument("--samples", type=int, default=8192, help="total rows of data")
    parser.add_argument("--steps", type=int, default=5, help="number of measured steps, whose median is printed")
    parser.add_argument("--threads", type=int, default=0, help="number of threads, 0 for one per processor")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument("--tf32", action="store_true", help="use TF32 on tensor cores for dense products")
    parser.add_argument("--compile", action="store_true", help="compile the loss with torch.compile (PyTorch 2)")
    options = parser.parse_args(argv)
    options.adam_eps, options.max_grad_norm = 6.25e-10, 1.0
    options.aux_k, options.aux_coef = (options.k if options.model == "topk" else 512), 1 / 32
    options.dead_after = max(1, 10_000_000 // options.rows)
    return options


def main():
    options = arguments(sys.argv[1:])
    torch.set_num_threads(options.threads or os.cpu_count())
    torch.backends.cuda.matmul.allow_tf32 = options.tf32
    if options.device != "cpu" and not torch.cuda.is_available():
        sys.exit(f"peer.py: --device {options.device}: this PyTorch finds no CUDA device")
    if options.compile and not hasattr(torch, "compile"):
        sys.exit(f"peer.py: --compile needs PyTorch 2, this is {torch.__version__}")
    if options.check:
        try:
            sys.exit(0 if all([check_golden(path, options.device) for path in options.check]) else 1)
        except (OSError, ValueError, KeyError, struct.error) as error:
            sys.exit(f"peer.py: not a golden: {error}")
    if options.serve:
        serve(options)
        return
    for model in [options.model] if options.model else MODELS:
        options.model = model
        options.aux_k = options.k if model == "topk" else 512
        measure(options)


if __name__ == "__main__":
    main()
