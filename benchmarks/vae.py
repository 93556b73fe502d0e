"""How good and how fast is the VAE, beside its floors and (where it is installed) scVI?

    python benchmarks/vae.py                    PBMC3k, paul15, Tian from $SCGM_DATA; 10 and 30 latents; 3 seeds
    python benchmarks/vae.py --minute           the demo cells, one seed: about a minute
    python benchmarks/vae.py --scvi             scVI beside it, on the same splits (needs scvi-tools; not run so far, no figure of it is claimed)

Every model is trained on the same 80% of each type and judged on the rest. `recon` is the log-likelihood of a held-out cell given
the mean of its latents, per gene: log p(x | E[z]), with the normalising terms, which both families share. `log p(x)` is the estimate by
16 weighted draws. `probe` is the accuracy of a linear classifier on the latents. Floors: one profile for all cells, one per type.
"""
import os, time, warnings
from argparse import ArgumentParser
from pathlib import Path
import numpy as np, scipy.sparse as sp, torch
from anndata import read_h5ad
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from scgm_nb.data import DataWarning, check, split
from scgm_nb.likelihoods import cell_log_prob, likelihoods
from scgm_nb.simulate import demo_cells
from scgm_nb.vae import active_units, group_sums, start_dispersion, train_vae

files = dict(pbmc3k=('pbmc3k_10x.h5ad', None), paul15=('paul15_mouse_myeloid.h5ad', None), tian=('tian2019_celllines_sc.h5ad', 5000))   # file, genes kept

def load(name):
    "Counts of one data set, its rare types and silent genes left out; the 5,000 most expressed genes of Tian"
    if name == 'demo': return check(demo_cells(), 'cell_type'), 'cell_type'
    (file, most), label = files[name], 'cell_type'
    a = read_h5ad(Path(os.environ['SCGM_DATA'])/file)
    a = a[a.obs[label].map(a.obs[label].value_counts()).astype(int) >= 20]
    a = a[a.obs[label] != 'unassigned'].copy()
    keep = np.asarray((a.X > 0).sum(0)).ravel() >= 3
    if most: keep &= (lambda s: s >= np.sort(s)[-most])(np.asarray(a.X.sum(0)).ravel())
    return check(a[:, keep].copy(), label), label

def probe(train, test, y_train, y_test):
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, C=.1)).fit(train, y_train).score(test, y_test)

def profile(train, test, own, theirs):
    "Held-out log-likelihood per gene with one profile per group"
    p = group_sums(train.X, own) + .1
    μ = (p/p.sum(1, keepdims=True))[theirs]*np.asarray(test.X.sum(1))
    φ = torch.as_tensor(start_dispersion(train.X, own)).double()
    return cell_log_prob(likelihoods['nb'], torch.as_tensor(test.X.toarray()).double(), torch.as_tensor(μ), φ).mean().item()/test.n_vars

def ours(train, test, label, n, seed, steps=None):
    start = time.time()
    vae = train_vae(train, label, latent=n, seed=seed, steps=steps, progress=False)
    seconds = time.time() - start
    z, recon = vae.latent(test), []
    for rows, x, y in vae.read(test):
        with torch.no_grad(): recon.append(cell_log_prob(likelihoods['nb'], x, *vae.params(vae.rate(torch.as_tensor(z[rows]), x.sum(1), y))))
    return torch.cat(recon).mean().item()/test.n_vars, vae.log_prob(test).mean(), probe(vae.latent(train), z, train.obs[label], test.obs[label]), active_units(vae.unit_costs(train)), seconds

def scvi(train, test, label, n, seed, likelihood='nb', epochs=None):
    "The same figures of scVI with its defaults (its likelihood and number of epochs can be set)"
    import scvi as lib
    lib.settings.seed = seed
    start = time.time()
    train, test = train.copy(), test.copy()
    lib.model.SCVI.setup_anndata(train)
    model = lib.model.SCVI(train, n_latent=n, gene_likelihood=likelihood)
    model.train(max_epochs=epochs, accelerator='cpu', enable_progress_bar=False)
    seconds = time.time() - start
    z = model.get_latent_representation(test)
    μ = torch.as_tensor(model.get_normalized_expression(test, library_size='latent', return_numpy=True)).double()
    φ = torch.exp(-model.module.px_r.detach()).double()
    recon = cell_log_prob(likelihoods['nb'], torch.as_tensor(test.X.toarray()).double(), μ.clamp(min=1e-12), φ).mean().item()/test.n_vars
    bound = model.get_marginal_ll(test, n_mc_samples=16) if likelihood == 'nb' else np.nan
    return recon, float(bound), probe(model.get_latent_representation(train), z, train.obs[label], test.obs[label]), -1, seconds

def row(data, model, n, seed, values): print(f'| {data} | {model} | {n} | {seed} | ' + ' | '.join(f'{v:.4g}' for v in values) + ' |', flush=True)

def main():
    args = ArgumentParser(description=__doc__.split('\n')[0])
    args.add_argument('--minute', action='store_true')
    args.add_argument('--scvi', action='store_true')
    args.add_argument('--data', nargs='*', default=list(files))
    args.add_argument('--latents', nargs='*', type=int, default=[10, 30])
    args.add_argument('--seeds', type=int, default=3)
    args = args.parse_args()
    warnings.simplefilter('ignore', DataWarning); torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 1)))
    if args.minute: args.data, args.latents, args.seeds = ['demo'], [10], 1
    print('| data | model | latents | seed | recon / gene | log p(x) | probe | active | seconds |\n|' + '---|'*9, flush=True)
    for data in args.data:
        cells, label = load(data)
        for seed in range(args.seeds):
            train, test = split(cells, by=label, seed=seed)
            own, theirs = (c.obs[label].cat.codes.to_numpy() for c in (train, test))
            row(data, 'one profile', 0, seed, [profile(train, test, 0*own, 0*theirs)])
            row(data, 'one profile per type', 0, seed, [profile(train, test, own, theirs)])
            for n in args.latents:
                row(data, 'ours', n, seed, ours(train, test, label, n, seed, 400 if args.minute else None))
                if args.scvi: row(data, 'scVI', n, seed, scvi(train, test, label, n, seed))

if __name__ == '__main__': main()
