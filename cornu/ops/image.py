"""Ops on images: (batch, height, width, channels) or one (height, width, channels); channels first where `data_format` says so."""

from cornu.ops.color import hsv_to_rgb as hsv_to_rgb
from cornu.ops.color import rgb_to_grayscale as rgb_to_grayscale
from cornu.ops.color import rgb_to_hsv as rgb_to_hsv
from cornu.ops.filters import (
    extract_patches as extract_patches,
)
from cornu.ops.filters import (
    extract_patches_3d as extract_patches_3d,
)
from cornu.ops.filters import (
    gaussian_blur as gaussian_blur,
)
from cornu.ops.filters import (
    sobel_edges as sobel_edges,
)
from cornu.ops.filters import (
    ssim as ssim,
)
from cornu.ops.frame import crop_images as crop_images
from cornu.ops.frame import pad_images as pad_images
from cornu.ops.resample import resize as resize
from cornu.ops.resample import scale_and_translate as scale_and_translate
from cornu.ops.warp import (
    affine_transform as affine_transform,
)
from cornu.ops.warp import (
    elastic_transform as elastic_transform,
)
from cornu.ops.warp import (
    map_coordinates as map_coordinates,
)
from cornu.ops.warp import (
    perspective_transform as perspective_transform,
)
