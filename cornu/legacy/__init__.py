"""Names of Keras 2 that Keras 3 keeps."""

from cornu.legacy import saving as saving
