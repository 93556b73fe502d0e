"Generate, edit and deconvolve single cells. Public names are handed on lazily: importing this costs nothing."
import sys
from importlib import import_module
from types import ModuleType

__version__ = '0.1.0'

# module -> the names it hands on, in the order of the book
_public = dict(
    data='ScgmError FormatError CountsError GeneError LabelError BulkError LimitError UnsafeFileError ModelFileError '
         'MismatchError NumericError DataWarning check restore_dates split normalise attempt',
    simulate='demo_cells world simulate simulate_chunks truth counterfactual shift_types simulate_peaks mix',
    quality='evaluate Report',
    batches='CellSource FileSource Moment',
    folder='save_model load_model',
    learner='Learner plot_lr processes',
    likelihoods='Likelihood',
    dispersion='start_dispersion refit_dispersion calibrate',
    vae='VAE train_vae plot_units',
    peaks='lsi read_h5mu',
    sde='SDE ve vp subvp edm Mixture ScoreNet net_size',
    sampling_cuda='karras bell heun dpm2m sde2m unipc euler_maruyama langevin cell_draws conditioned sample cell_log_prob',
