"""How files of volumes are called: what can be asked without a library that reads them."""

NIFTI_SUFFIXES = (".nii.gz", ".nii")
