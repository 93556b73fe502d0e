"Generate, edit and deconvolve single cells. Public names are handed on lazily: importing this costs nothing."
import sys
from importlib import import_module
from types import ModuleType

__version__ = '0.1.0'

# module -> the names it hands on, in the order of the book
_public = dict(
    data='ScgmError FormatError CountsError GeneError LabelError BulkError LimitError UnsafeFileError ModelFileError '
         'MismatchError NumericError DataWarning check restore_dates normalise attempt',
    splits='split',
    simulate='demo_cells world simulate simulate_chunks',
    whatif='truth counterfactual shift_types simulate_peaks mix',
    quality='evaluate Report',
    batches='CellSource FileSource Moment',
    folder='save_model load_model',
    learner='Learner plot_lr processes',
    files='read write',
    qc='qc qc_metrics suggest_limits plot_qc doublet_scores cluster',
    ranges='FetchError',
    datasets='datasets fetch unpack',
    pictures='show_cells show_genes show_zeros show_correlations show_markers show_types',
    genes='align map_genes',
    recovery='recover_counts',
    likelihoods='Likelihood',
    dispersion='start_dispersion refit_dispersion calibrate fit_accent',
    luck='share_luck fit_luck set_noise',
    vae='VAE train_vae plot_units',
    peaks='read_h5mu',
    uphill='Mixture',
    sde='SDE ve vp subvp edm ScoreNet net_size',
    sampling_cuda='karras bell heun dpm2m sde2m unipc cell_draws conditioned sample',
    density='cell_log_prob',
    stochastic='euler_maruyama langevin',
    report='independent_genes',
    enhance='ScGM demo_model',      # the module in which ScGM has all its methods
    gmvae='GMVAE',
    bulk='read_bulk to_tpm pseudo_bulk',
    deconv='Deconvolver',
    bulk2sc='Bulk2SC',
    demo='demo',
)
_home = {name: module for module, names in _public.items() for name in names.split()}
__all__ = sorted(_home)


class _House(ModuleType):
    "A package in which `sg.simulate` is always the function, also after the module of that name was imported"
    def __getattr__(self, name):
        if name not in _home: raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        value = getattr(import_module(f'{self.__name__}.{_home[name]}'), name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name, value):
        if not (name in _home and isinstance(value, ModuleType)): super().__setattr__(name, value)

    def __dir__(self): return sorted({*self.__dict__, *_home})


sys.modules[__name__].__class__ = _House
