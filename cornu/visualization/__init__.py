"""Keras's `visualization` namespace: what models saw and said, drawn into pictures."""

from cornu.visualization.drawing import draw_bounding_boxes as draw_bounding_boxes
from cornu.visualization.drawing import draw_segmentation_masks as draw_segmentation_masks
from cornu.visualization.gallery import plot_bounding_box_gallery as plot_bounding_box_gallery
from cornu.visualization.gallery import plot_image_gallery as plot_image_gallery
from cornu.visualization.gallery import plot_segmentation_mask_gallery as plot_segmentation_mask_gallery
