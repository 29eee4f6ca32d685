"""Lay one volume over another: stretched, then affinely, then voxel by voxel.

Everything is done by SimpleITK, which takes a while to import, so that it waits for its use. One
thread and one sampling seed, so that equal volumes give equal transforms to the bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.voxels import Image

_BINS = 256
_MATCH_POINTS = 15
_SAMPLING_SEED = 1
_SHRINK = (3, 2, 1)
_BLUR_MM = (4.0, 2.0, 1.0)
_LEAST_SIDE = 8  # voxels: nothing is shrunk below it
_LEAST_REGISTERED = 4  # voxels along a side that SimpleITK's filters ask for
_PLAUSIBLE_VOLUME = (0.2, 5.0)  # of the affine part beside the stretching


def simple_itk() -> Any:
    """The package SimpleITK, imported when it is first needed."""
    import SimpleITK

    return SimpleITK


@contextmanager
def one_thread() -> Iterator[None]:
    """Let SimpleITK compute on one thread meanwhile: sums of floats are then always the same."""
    threads = simple_itk().ProcessObject
    before = threads.GetGlobalDefaultNumberOfThreads()
    threads.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        threads.SetGlobalDefaultNumberOfThreads(before)


def as_itk(volume: NDArray[Any], spacing_mm: Spacing) -> Any:
    """A volume (I, J, K) as SimpleITK holds it, its middle at the origin of the millimetres."""
    image = simple_itk().GetImageFromArray(np.ascontiguousarray(volume.T, np.float32))
    image.SetSpacing(spacing_mm)
    image.SetOrigin(_origin(volume.shape, spacing_mm))
    return image


def as_array(image: Any) -> Image:
    """(I, J, K) float32 of what SimpleITK holds."""
    return np.ascontiguousarray(simple_itk().GetArrayFromImage(image).T, np.float32)


def reduced(image: Any, max_voxels: int) -> Any:
    """The image on fewer, larger voxels of the same extent, blurred before."""
    factor = (np.prod(image.GetSize()) / max_voxels) ** (1 / 3)
    sizes = zip(image.GetSize(), image.GetSpacing(), strict=True)
    shape, spacing_mm = [], []
    for count, size_mm in sizes:
        fewer = min(count, max(_LEAST_SIDE, round(count / max(factor, 1.0))))
        shape.append(fewer)
        spacing_mm.append(size_mm * count / fewer)
    if shape == list(image.GetSize()):
        return image
    itk = simple_itk()
    blurred = _blurred(image, [size / 2 for size in spacing_mm])
    origin, direction = _origin(shape, spacing_mm), image.GetDirection()
    identity, kind = itk.Transform(3, itk.sitkIdentity), itk.sitkFloat32
    linear = itk.sitkLinear
    return itk.Resample(
        blurred, shape, identity, linear, origin, spacing_mm, direction, 0.0, kind, True
    )


def as_mask(mask: NDArray[np.bool_], spacing_mm: Spacing) -> Any:
    """A mask (I, J, K) as SimpleITK holds it."""
    itk = simple_itk()
    return itk.Cast(as_itk(mask, spacing_mm), itk.sitkUInt8)


def laid_over(moving: Any, fixed: Any, transform: Any, *, outside: float) -> Any:
    """The moving image on the grid of the fixed one, linearly; `outside` beyond its voxels."""
    itk = simple_itk()
    return itk.Resample(moving, fixed, transform, itk.sitkLinear, outside, itk.sitkFloat32)


def stretched(fixed: Any, moving: Any) -> Any:
    """The transform that lays corner onto corner, blind to what is in the images."""
    transform = simple_itk().AffineTransform(3)
    transform.SetMatrix(np.diag(_extent_mm(moving) / _extent_mm(fixed)).ravel().tolist())
    return transform


def affinely(
    fixed: Any, moving: Any, start: Any, *, iterations: int, within: Any | None = None
) -> Any:
    """The affine transform from `start` on under which the images correlate best.

    Args:
        fixed: the image that stays.
        moving: the image that is laid over it.
        start: an affine transform.
        iterations: at each resolution.
        within: a mask of the moving image, in which alone they have to correlate; None: everywhere.

    Source: SimpleITK's ImageRegistrationMethod: global correlation at half of the voxels, regular
    steps, three resolutions.

    Raises:
        RuntimeError: when it diverges, or ends in a volume that nobody would believe.
    """
    itk = simple_itk()
    method = itk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.5, _SAMPLING_SEED)
    if within is not None:
        method.SetMetricMovingMask(within)
    method.SetInterpolator(itk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, iterations, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(_SHRINK)
    method.SetSmoothingSigmasPerLevel(_BLUR_MM)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    transform = itk.AffineTransform(start)
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    low, high = _PLAUSIBLE_VOLUME
    change = _determinant(transform) / _determinant(start)
    if not low < change < high:
        raise RuntimeError(f"the volume changed by a factor of {change:.2g}")
    return transform


def deformably(fixed: Any, moving: Any, start: Any, *, iterations: int, smoothing: float) -> Any:
    """The transform `start`, followed by a displacement of every voxel.

    Demons on histogram-matched images, at a quarter, half and all of the resolution.

    Args:
        fixed: the image that stays.
        moving: the image that is laid over it.
        start: an affine transform.
        iterations: at each of the two coarse resolutions; half as many at the finest.
        smoothing: of the displacements after each iteration, standard deviation in voxels.

    Source: Vercauteren et al., NeuroImage 45(1), 2009; SimpleITK's FastSymmetricForcesDemons.

    Raises:
        RuntimeError: when it diverges.
    """
    itk = simple_itk()
    darkest = float(itk.GetArrayViewFromImage(moving).min())
    laid = itk.HistogramMatching(
        laid_over(moving, fixed, start, outside=darkest), fixed, _BINS, _MATCH_POINTS, True
    )
    field = None
    for factor, count in ((4, iterations), (2, iterations), (1, -(-iterations // 2))):
        demons = itk.FastSymmetricForcesDemonsRegistrationFilter()
        demons.SetNumberOfIterations(count)
        demons.SmoothDisplacementFieldOn()
        demons.SetStandardDeviations(smoothing)
        ours, theirs = _shrunk(fixed, factor), _shrunk(laid, factor)
        if field is None:
            field = demons.Execute(ours, theirs)
        else:
            field = demons.Execute(ours, theirs, _field_on(field, ours))
    displacement = itk.DisplacementFieldTransform(_field_on(field, fixed))
    return itk.CompositeTransform([start, displacement])


def _field_on(field: Any, image: Any) -> Any:
    itk = simple_itk()
    identity = itk.Transform(3, itk.sitkIdentity)
    # its border is continued: the outermost voxels' middles lie outside a coarser grid's
    return itk.Resample(field, image, identity, itk.sitkLinear, 0.0, itk.sitkVectorFloat64, True)


def _shrunk(image: Any, factor: int) -> Any:
    factors = [min(factor, max(1, count // _LEAST_SIDE)) for count in image.GetSize()]
    if max(factors) == 1:
        return image
    sigma_mm = [n * size / 2 for n, size in zip(factors, image.GetSpacing(), strict=True)]
    return simple_itk().Shrink(_blurred(image, sigma_mm), factors)


def _blurred(image: Any, sigma_mm: list[float]) -> Any:
    """Blurred; SimpleITK's recursive filter asks for some voxels along each axis."""
    if min(image.GetSize()) < _LEAST_REGISTERED:
        return image
    return simple_itk().SmoothingRecursiveGaussian(image, sigma_mm)


def _origin(shape: Any, spacing_mm: Any) -> list[float]:
    return [-(n - 1) / 2 * size for n, size in zip(shape, spacing_mm, strict=True)]


def _extent_mm(image: Any) -> Any:
    return np.multiply(image.GetSize(), image.GetSpacing())


def _determinant(transform: Any) -> float:
    return float(np.linalg.det(np.reshape(transform.GetMatrix(), (3, 3))))
