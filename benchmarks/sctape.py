"""Run scTAPE 1.1.2 on a table of cells and a table of bulks, in an interpreter of its own: CELLS BULK OUT yes|no (adaptive stage).

Nothing of the package is in this repository. Its defaults are kept: 5,000 simulated samples, 128 epochs. The adaptive stage of
1.1.2 ends in an error under torch 2.6 and later when no file is named, so a file is named.
"""
import sys
cells, bulk, out, adaptive = sys.argv[1:]
from TAPE import Deconvolution
adapt = adaptive == 'yes'
found = Deconvolution(cells, bulk, sep='\t', scaler='mms', datatype='counts', genelenfile=None, mode='overall', adaptive=adapt, variance_threshold=.98,
                      save_model_name='net' if adapt else None, batch_size=128, epochs=128, seed=0)
table = found[1] if isinstance(found, tuple) else found
table.to_csv(out, sep='\t')
