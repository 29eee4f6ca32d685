"""Raw data sets in the layouts people already have."""

from pathlib import Path

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.dataset import Dataset
from samssl_cli.volumes.datasets.nnunet import open_nnunet
from samssl_cli.volumes.datasets.ssl4mis import is_ssl4mis, open_ssl4mis


def open_dataset(path: Path) -> Dataset:
    """Recognise the layout of a folder and list its cases; no volume is read.

    Raises:
        DataError: when the folder follows no known layout, or not properly.
    """
    if not path.is_dir():
        raise DataError(f"{path}: is not a folder; give the folder that holds dataset.json")
    is_described = (path / "dataset.json").is_file()
    if is_ssl4mis(path) and not (is_described and (path / "imagesTr").is_dir()):
        return open_ssl4mis(path)
    if is_described:
        return open_nnunet(path)
    raise DataError(
        f"{path}: no known layout; expected dataset.json with imagesTr (nnU-Net, MSD), or "
        "train.list with h5 files (UA-MT, SSL4MIS)"
    )
