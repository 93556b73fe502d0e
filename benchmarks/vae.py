"""What the VAE is worth, beside its floors and scVI; and what each step that sets its overdispersion buys.

    python benchmarks/vae.py                       ours: PBMC3k, paul15, Tian (SCGM_DATA); 10 and 30 latents; seeds 0 1 2
    python benchmarks/vae.py --scvi                scVI in the same run (extra `peers`); --only-scvi: scVI alone
    python benchmarks/vae.py --ablation            the steps of 00k one by one, on a validation part of the training cells
    python benchmarks/vae.py --minute              the demo cells, one seed: about a minute

Every model is trained on the same 80% of each type and judged on the rest, by the same code (00i):
`recon` is log p(x | E[z]) of held-out cells per gene, all normalising terms included, with the cell's own total as library size;
`probe` the accuracy of a linear classifier on E[z], `of one genotype` without the cells that demuxlet calls doublets (Tian);
`seconds` the CPU time of training on one thread. Floors: one profile for all, one per type.
scVI has its default settings (ZINB, 128 hidden, one layer), its early stopping with 10% of the cells and a patience of 15 epochs.
"""
import os, time, warnings
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
import numpy as np, pandas as pd, torch
from anndata import AnnData, read_h5ad
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from scgm_nb.entries import DataWarning
from scgm_nb.data import check, normalise
from scgm_nb.dispersion import group_sums, match_factor, trust, within_variance
from scgm_nb.likelihoods import count_log_prob, likelihoods
from scgm_nb.quality import evaluate
from scgm_nb.simulate import demo_cells
from scgm_nb.splits import split
from scgm_nb.vae import calibrate, refit_dispersion, start_dispersion, train_vae

files = dict(pbmc3k=('pbmc3k_10x.h5ad', None), paul15=('paul15_mouse_myeloid.h5ad', None), tian=('tian2019_celllines_sc.h5ad', 5000))   # file, genes kept
label = 'cell_type'

def load(name):
    "Counts of one data set, its rare types and silent genes left out; the 5,000 most expressed genes of Tian"
    if name == 'demo': return check(demo_cells(), label)
    file, most = files[name]
    a = read_h5ad(Path(os.environ['SCGM_DATA'])/file)
    a = a[a.obs[label].map(a.obs[label].value_counts()).astype(int) >= 20]
    a = a[a.obs[label] != 'unassigned'].copy()
    keep = np.asarray((a.X > 0).sum(0)).ravel() >= 3
    if most: keep &= (lambda s: s >= np.sort(s)[-most])(np.asarray(a.X.sum(0)).ravel())
    return check(a[:, keep].copy(), label)

def codes(cells): return cells.obs[label].cat.codes.to_numpy()

# ---- beside scVI

def probe(z, z_test, train, test):
    "Accuracy of a linear classifier; and of cells of one genotype alone, where that is known (the label of a doublet names one of its two cells)"
    right = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, C=.1)).fit(z, train.obs[label]).predict(z_test) == test.obs[label].to_numpy()
    return right.mean(), right[(test.obs['demuxlet'] == 'SNG').to_numpy()].mean() if 'demuxlet' in test.obs else np.nan

def recon(kind, test, params):
    "Held-out log-likelihood per gene; `params(rows, x)` are those of some cells"
    parts = []
    for lo in range(0, test.n_obs, 128):
        x = torch.as_tensor(test.X[lo:lo + 128].toarray())
        with torch.no_grad(): parts.append(count_log_prob(likelihoods[kind], x.double(), *(p.double() for p in params(slice(lo, lo + 128), x))))
    return torch.cat(parts).mean().item()/test.n_vars

def profile(train, test, own, theirs):
    "One profile per group"
    p = group_sums(train.X, own) + .1
    p, φ = torch.as_tensor(p/p.sum(1, keepdims=True)), torch.as_tensor(start_dispersion(train.X, own))
    return recon('nb', test, lambda rows, x: (p[theirs[rows]]*x.sum(1, keepdim=True), φ))

def ours(train, test, n, seed, steps=None):
    start = time.process_time()
    vae = train_vae(train, label, latent=n, seed=seed, steps=steps, calibrated=False, progress=False)
    seconds, z = time.process_time() - start, vae.latent(test)
    best = recon('nb', test, lambda rows, x: vae.params(vae.rate(torch.as_tensor(z[rows]), x.sum(1))))
    return best, *probe(vae.latent(train), z, train, test), seconds, int(vae.history.epoch.iloc[-1])

def scvi(train, test, n, seed, epochs=400):
    import scvi as lib
    lib.settings.seed, lib.settings.verbosity = seed, 40
    train, test, start = train.copy(), test.copy(), time.process_time()
    lib.model.SCVI.setup_anndata(train)
    model = lib.model.SCVI(train, n_latent=n)
    model.train(max_epochs=epochs, accelerator='cpu', early_stopping=True, early_stopping_patience=15, enable_progress_bar=False, logger=False)
    epochs = model.trainer.current_epoch
    seconds, z = time.process_time() - start, model.get_latent_representation(test)
    model.module.eval()
    def params(rows, x):
        px = model.module.generative(torch.as_tensor(z[rows]), x.sum(1, keepdim=True).log(), torch.zeros(len(x), 1, dtype=torch.int64))['px']
        return px.mu.clamp(min=1e-30), 1/px.theta.clamp(min=1e-6), px.zi_logits.sigmoid()
    return recon('zinb', test, params), *probe(model.get_latent_representation(train), z, train, test), seconds, epochs

def row(data, model, n, seed, values): print(f'| {data} | {model} | {n or ""} | {seed} | ' + ' | '.join(f'{v:.4g}' for v in values) + ' |' + ' |'*(5 - len(values)), flush=True)

def compare(args):
    print('| data | model | latents | seed | recon per gene | probe | of one genotype | seconds | epochs |\n|' + '---|'*9, flush=True)
    for seed in args.seeds:
        for data in args.data:
            train, test = split(load(data), by=label, seed=seed)
            if not args.only_scvi:
                row(data, 'one profile', 0, seed, [profile(train, test, 0*codes(train), 0*codes(test))])
                row(data, 'one profile per type', 0, seed, [profile(train, test, codes(train), codes(test))])
            for n in args.latents:
                if not args.only_scvi: row(data, 'ours', n, seed, ours(train, test, n, seed, 400 if args.minute else None))
                if args.scvi or args.only_scvi: row(data, 'scVI', n, seed, scvi(train, test, n, seed))

# ---- what sets the overdispersion

def alone(vae, X, groups, seed=0):
    "The calibration without neighbours: each factor is drawn towards 1"
    z, factors = vae.latent(X, seed), np.array([.25, .5, 1, 2, 4])
    drawn = np.stack([within_variance(normalise(vae.draw(z, np.asarray(X.sum(1)).ravel(), factor=f, seed=seed)), groups) for f in factors])
    f, slope = match_factor(within_variance(normalise(X), groups), drawn, factors)
    with torch.no_grad(): vae.log_phi += torch.as_tensor(f*trust(.49, (6/X.shape[0])**.5, slope), dtype=torch.float32)

steps = {'as trained': [], 'calibrated, each gene alone': [alone], 'calibrated, with neighbours': [calibrate],
         'refitted, with the trend': [lambda v, X, g: refit_dispersion(v, X)], 'refitted and calibrated (default)': [lambda v, X, g: refit_dispersion(v, X), calibrate]}
figures = {'forest AUC, expression': 'forest', 'forest AUC, PCs': 'PCs', 'W2': 'W2', '1-NN accuracy': '1-NN', 'log-fold-change slope': 'fold slope', 'gene-gene r, within types': 'r within', 'variance ratio': 'variance', 'label accuracy': 'labels', 'library size KS': 'library KS'}

def ablation(args):
    "Cells drawn from the latents of the training cells, against 15% of the training cells kept away; the test part is not touched"
    found = []
    for seed in args.seeds:
        for data in args.data:
            train, _ = split(load(data), by=label, seed=seed)
            fit, valid = split(train, by=label, test=.15, seed=seed)
            vae, floor = train_vae(fit, label, seed=seed, refitted=False, calibrated=False, steps=400 if args.minute else None, progress=False), None
            before = vae.log_phi.detach().clone()
            for name, does in steps.items():
                vae.log_phi.data.copy_(before)
                for f in does: f(vae, fit.X, codes(fit))
                new = AnnData(vae.draw(vae.latent(fit, 11), np.asarray(fit.X.sum(1)).ravel(), seed=11), fit.obs, fit.var)
                report = evaluate(valid, new, fit, labels=label, trees=100, splits=5, floor=floor, progress=False)
                t = report.table[report.table.type == 'all'].set_index('metric').reindex(list(figures)).rename(figures)
                if floor is None: found.append(dict(data=data, seed=seed, step='floor', **(t.low + t.high)/2))
                floor = floor or report
                found.append(dict(data=data, seed=seed, step=name, **t.value, **{'log p(x)': vae.log_prob(valid, draws=8).mean()}))
                print(pd.Series(found[-1]).to_frame().T.to_string(header=name == 'as trained', index=False), flush=True)
    mean = pd.DataFrame(found).groupby(['data', 'step'], sort=False).mean(numeric_only=True).drop(columns='seed')
    print(f'\nMean over seeds {args.seeds}\n' + mean.to_string(float_format='{:.3f}'.format))

if __name__ == '__main__':
    args = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    for flag in ('minute', 'scvi', 'only-scvi', 'ablation'): args.add_argument(f'--{flag}', action='store_true')
    args.add_argument('--data', nargs='*', default=list(files))
    args.add_argument('--latents', nargs='*', type=int, default=[10, 30])
    args.add_argument('--seeds', nargs='*', type=int, default=[0, 1, 2])
    args = args.parse_args()
    warnings.filterwarnings('ignore')
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 1)))
    if args.minute: args.data, args.latents, args.seeds = ['demo'], [10], [0]
    ablation(args) if args.ablation else compare(args)
