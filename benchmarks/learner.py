"""What the learner costs beside the bare loop, how fast cells reach it, and how long a checkpoint takes.

    python benchmarks/learner.py            about five minutes
    python benchmarks/learner.py --quick    about one minute
"""
import sys, tempfile, time
from pathlib import Path
import numpy as np, pandas as pd, scipy.sparse as sp, torch
from anndata import AnnData, read_h5ad
from torch import nn
from scgm_nb.batches import CellSource, FileSource, Moment, cell_normal
from scgm_nb.learner import Learner


class Net(nn.Module):
    "An autoencoder of the size of the VAE of this book"
    def __init__(self, genes, width=128, z=16):
        super().__init__()
        block = lambda a, b: nn.Sequential(nn.Linear(a, width), nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, b))
        self.down, self.up = block(genes, 2*z), block(z, genes)

    def loss(self, x, y, moment):
        μ, lv = self.down(torch.log1p(x)).chunk(2, -1)
        z = μ + (lv/2).exp()*(moment.normal(μ.shape[1]))
        fit = -(x*self.up(z).log_softmax(-1)).sum(-1).mean()
        kl = .5*(μ**2 + lv.exp() - lv - 1).sum(-1).mean()
        return fit + kl, dict(fit=fit, kl=kl)


def counts(cells, genes, share=.08, seed=0):
    "Cells of which `share` of the entries are not zero"
    rng = np.random.default_rng(seed)
    X = sp.random(cells, genes, share, 'csr', np.float32, rng, data_rvs=lambda n: 1 + rng.poisson(.6, n))
    return AnnData(X, obs=pd.DataFrame(index=[f'cell{i}' for i in range(cells)]), var=pd.DataFrame(index=[f'gene{i}' for i in range(genes)]))


def bare(model, source, steps):
    "The naive loop: batches, noise, gradients, and AdamW"
    opt = torch.optim.AdamW(model.parameters(), 2e-3, fused=True)
    for step in range(steps):
        X, y = source.batch(*divmod(step, len(source)))
        loss, _ = model.loss(torch.from_numpy(X.toarray()), y, Moment((0, step), torch.arange(len(y))))
        opt.zero_grad()
        loss.backward()
        opt.step()


def seconds(f, clock=time.perf_counter):
    start = clock()
    f()
    return clock() - start


def overhead(genes, steps, rounds):
    "Milliseconds of an update, bare and with everything on; the rounds take turns; medians of CPU time"
    adata = counts(2000, genes)
    source, times = CellSource(adata), dict(bare=[], learner=[])
    for _ in range(rounds):
        a, b = Net(genes), Net(genes)
        learner = Learner(b, source, steps=steps, every=steps)
        times['bare'].append(seconds(lambda: bare(a, source, steps), time.process_time)/steps*1e3)
        times['learner'].append(seconds(learner.fit, time.process_time)/steps*1e3)
    t = {k: float(np.median(v)) for k, v in times.items()}
    return dict(genes=genes, **{f'{k} ms': v for k, v in t.items()}, ratio=float(np.median(np.array(times['learner'])/times['bare'])))


def loading(cells, genes):
    "Cells a second out of memory and out of a file, 128 at a time"
    adata, rows = counts(cells, genes), []
    with tempfile.TemporaryDirectory() as folder:
        adata.write_h5ad(f'{folder}/cells.h5ad')
        for name, source in [('memory', CellSource(adata)), ('file', FileSource(read_h5ad(f'{folder}/cells.h5ad', backed='r')))]:
            source.cells(0, 0)
            t = seconds(lambda: [source.batch(0, i) for i in range(len(source))])
            rows.append({'from': name, 'cells': cells, 'values a cell': adata.X.nnz//cells, 'cells/s': round(cells/t)})
    return rows


def checkpoint(genes):
    "Milliseconds of a checkpoint, with every byte on the disk"
    with tempfile.TemporaryDirectory() as folder:
        learner = Learner(Net(genes), CellSource(counts(256, genes)), steps=10, every=100, folder=Path(folder)/'run', progress=False)
        learner.one_step()
        times = []
        for learner.step in range(2, 8): times.append(seconds(learner.save)*1e3)
        size = sum(p.stat().st_size for p in (Path(folder)/'run').rglob('*') if p.is_file())
    return dict(genes=genes, MB=round(size/1e6, 1), ms=round(float(np.median(times)), 1))


def main(quick):
    torch.set_num_threads(1)
    steps, rounds = (100, 5) if quick else (200, 7)
    over = pd.DataFrame([overhead(g, steps, rounds) for g in ((765, 3000) if quick else (765, 3000, 20_000))]).round(2)
    print('An update of an autoencoder, batch 128, one thread; everything on: clipping, average, watch for NaN, bar, history')
    print(over.to_string(index=False), '\n')
    print(pd.DataFrame(loading(*(5000, 2000) if quick else (40_000, 20_000))).to_string(index=False), '\n')
    print(pd.DataFrame([checkpoint(g) for g in ((765,) if quick else (765, 20_000))]).to_string(index=False), '\n')
    cells = torch.arange(256)
    t = {n: seconds(lambda: [cell_normal((0, i), cells, n) for i in range(50)])/50*1e3 for n in (16, 256)}
    print('noise of 256 cells, ms:', {k: round(v, 2) for k, v in t.items()})
    return over


if __name__ == '__main__': main('--quick' in sys.argv)
