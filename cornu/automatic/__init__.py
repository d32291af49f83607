"""What a model for given data looks like: the kind of the inputs, the task of the labels, the layers that fit both."""
