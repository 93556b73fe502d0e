"""What has to hold on a GPU, beside the CPU of the same machine: one table, a line for each promise.

    python benchmarks/gpu.py                a minute or two on one GPU; with several, one process each
    python benchmarks/gpu.py --device cpu   the same script with the CPU in both places, which the tests run

Without a GPU the first form says so and ends with 0. Ends with 1 where a promise does not hold.
Random numbers are keyed by cell, so both devices see the same noise; TF32 is off, so that only the order of sums differs.
"""
import os, subprocess, sys, time, warnings
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
import numpy as np, pandas as pd, torch
from anndata import AnnData
from safetensors.torch import load_file
from torch import nn
import scgm_nb as sg
from scgm_nb.batches import CellSource, cell_normal, cell_uniform
from scgm_nb.sealed import save_tensors
from scgm_nb.learner import Learner, processes, to_dense
from scgm_nb.scgm import demo_folder

cpu = torch.device('cpu')

def seconds(f, device):
    "Seconds until the device has done it, the second time"
    f()
    if device.type == 'cuda': torch.cuda.synchronize()
    start = time.perf_counter()
    f()
    if device.type == 'cuda': torch.cuda.synchronize()
    return time.perf_counter() - start

def apart(a, b): return float((a.double().cpu() - b.double().cpu()).abs().max())


# --- batches and noise -------------------------------------------------------------------------------------------
def transfer(device, cells, **_):
    "sparse rows reach the device unaltered"
    there = to_dense(cells.X, device, torch.float32).cpu().numpy()
    return f'{there.size:,} values', bool((there == cells.X.toarray()).all())

def noise(device, **_):
    "uniform noise of a cell is the same bit for bit, normal noise to 1e-5"
    i = torch.arange(10_000)
    same = torch.equal(cell_uniform((0, 1), i.to(device), 64).cpu(), cell_uniform((0, 1), i, 64))
    far = apart(cell_normal((0, 1), i.to(device), 64), cell_normal((0, 1), i, 64))
    return f'uniform {"equal" if same else "DIFFERENT"}, normal {far:.1e}', same and far < 1e-5


# --- training ----------------------------------------------------------------------------------------------------
def learner_of(cells, device, steps, **how):
    "A learner for the autoencoder of chapter 01"
    torch.manual_seed(0)
    model = sg.VAE(cells.n_vars, 8, cells=cells.n_obs).start(cells.X, cells.obs['cell_type'].cat.codes.to_numpy())
    return Learner(model, *CellSource(cells, 'cell_type').hold_out(.2, seed=0), steps=steps, every=steps//2, device=device, progress=False, **how)

def trained(*args, **how):
    learner = learner_of(*args, **how)
    learner.fit()
    return learner

def bf16(device, cells, steps, **_):
    "bf16 is the default on a GPU, and ends where float32 ends to 1% of the held-out loss"
    default = device.type == 'cuda'
    half = trained(cells, device, steps, **{} if default else dict(bf16=True))
    full = trained(cells, device, steps, bf16=False)
    a, b = half.best_loss, full.best_loss
    return f'{a:.2f} beside {b:.2f}', half.bf16 and np.isfinite(a) and abs(a - b) < .01*abs(b)

def float32(device, cells, steps, **_):
    "in float32 both devices end at the same held-out loss, to 0.5%"
    a, b = (trained(cells, d, steps, bf16=False).best_loss for d in (device, cpu))
    return f'{a:.3f} beside {b:.3f}', abs(a - b) < .005*abs(b)

def resumed(device, cells, steps, **_):
    "a run that stops half-way and goes on from its checkpoint ends at the same held-out loss, to 0.5%"
    whole = trained(cells, device, steps, bf16=False)
    with TemporaryDirectory() as box:
        for until in (steps//2, steps):
            learner = learner_of(cells, device, steps, bf16=False, resume=Path(box)/'run')
            learner.fit(until=until)
    return f'{learner.best_loss:.3f} beside {whole.best_loss:.3f}', learner.step == steps and abs(learner.best_loss - whole.best_loss) < .005*abs(whole.best_loss)


# --- several processes -------------------------------------------------------------------------------------------
class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 32), nn.LayerNorm(32), nn.SiLU(), nn.Linear(32, 20))
    def loss(self, x, y, moment): return (self.net(x + .3*moment.normal(20)) - x).square().sum(-1).mean()

def worker(out, device):
    "What each process runs: fifty updates in float64"
    torch.set_num_threads(1); torch.manual_seed(0)
    with processes() as (rank, world):
        cells = AnnData(np.random.default_rng(0).standard_normal((301, 20)))
        cells.obs_names = [f'cell {i}' for i in range(301)]
        learner = Learner(Small().double(), CellSource(cells, batch_size=50), steps=50, lr=1e-2, seed=3, device=device, bf16=False, progress=False)
        learner.fit()
        backend = torch.distributed.get_backend() if world > 1 or torch.distributed.is_initialized() else 'alone'
        if rank == 0: save_tensors(out/f'{backend}.safetensors', learner.model.state_dict())

def shared(device, **_):
    "torchrun with plain DDP (nccl on GPUs) ends in the weights of one process, to 1e-9, float64, 50 updates"
    n = max(1, torch.cuda.device_count()) if device.type == 'cuda' else 2
    backend = 'nccl' if device.type == 'cuda' else 'gloo'
    home = dict(os.environ, PYTHONPATH=os.pathsep.join([str(Path(sg.__file__).parents[1]), os.environ.get('PYTHONPATH', '')]), **{} if device.type == 'cuda' else dict(CUDA_VISIBLE_DEVICES=''))
    torchrun = [sys.executable, '-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={n}']
    with TemporaryDirectory() as box:
        for how in ([sys.executable], torchrun): subprocess.run([*how, __file__, '--worker', box, *(['--device', 'cpu'] if device.type == 'cpu' else [])], check=True, env=home)
        one, many = (load_file(Path(box)/f'{name}.safetensors') for name in ('alone', backend))
    far = max(apart(one[k], many[k]) for k in one)
    return f'{n} x {backend}: {far:.1e}', far < 1e-9


# --- generation --------------------------------------------------------------------------------------------------
def models(device):
    "The model that comes along, here and on the device"
    return [sg.ScGM.load(demo_folder, device=where) for where in (cpu, device)]

def latents(device, n, **_):
    "generated latents agree to 1e-5"
    here, there = models(device)
    a, b = (m.generate(n, seed=0, output='latent').obsm['X_scgm'] for m in (here, there))
    far = float(np.abs(a - b).max())
    return f'{far:.1e} on {n:,} cells, values up to {np.abs(a).max():.1f}', far <= 1e-5

def counts(device, n, **_):
    "at most 1 generated count in 10,000 differs"
    here, there = models(device)
    a, b = (m.generate(n, seed=0).X for m in (here, there))
    share = (a != b).nnz/(a.shape[0]*a.shape[1])
    return f'{share:.1e} of {a.shape[0]*a.shape[1]:,}', share <= 1e-4

def chunks(device, n, **_):
    "other chunks on the device: latents agree to 1e-5"
    there = models(device)[1]
    a, b = (there.generate(n, seed=0, output='latent', chunk=c).obsm['X_scgm'] for c in (2048, 97))
    return f'{np.abs(a - b).max():.1e}', float(np.abs(a - b).max()) <= 1e-5

def speed(device, n, **_):
    "latents of new cells a second, beside the CPU (no promise)"
    took = [seconds(lambda: m.generate(n, seed=0, output='latent'), d) for m, d in zip(models(device), (cpu, device))]
    return f'{n/took[1]:,.0f} beside {n/took[0]:,.0f}', True

promises = transfer, noise, bf16, float32, resumed, shared, latents, counts, chunks, speed


def judged(promise, **setting):
    "A row of the table; a promise that breaks has failed, and says how"
    start = time.time()
    try: found, held = promise(**setting)
    except Exception as e: found, held = f'{type(e).__name__}: {" ".join(str(e).split())[:120]}', False
    return dict(promise=promise.__doc__, measured=found, held='yes' if held else 'NO', seconds=round(time.time() - start, 1))

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--device', help='cuda where there is one')
    args.add_argument('--worker', type=Path, help='(for torchrun) where to leave the weights')
    args = args.parse_args()
    if args.worker: return worker(args.worker, args.device)
    if not args.device and not torch.cuda.is_available(): return print('there is no GPU here: nothing to compare')
    device = torch.device(args.device or 'cuda')
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(f'{torch.cuda.get_device_name() if device.type == "cuda" else "the CPU in both places"}, torch {torch.__version__}', flush=True)
    warnings.simplefilter('ignore', sg.DataWarning)       # a few of the demo cells are rare
    real = device.type == 'cuda'
    setting = dict(device=device, cells=sg.check(sg.demo_cells(), 'cell_type'), steps=200 if real else 20, n=10_000 if real else 200)
    rows = pd.DataFrame([judged(promise, **setting) for promise in promises])
    print(rows.to_string(index=False, justify='left'))
    sys.exit(int((rows.held == 'NO').any()))

if __name__ == '__main__': main()
