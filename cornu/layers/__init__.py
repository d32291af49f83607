"""Layers, by family."""

from cornu.layers.input_layer import Input as Input
from cornu.layers.input_layer import InputLayer as InputLayer
from cornu.layers.input_spec import InputSpec as InputSpec
from cornu.layers.layer import Layer as Layer
