"""What a student is told of its teacher: how far its outputs, or values inside, are from the teacher's."""

import inspect

from cornu import losses, ops, ranges, serialization, tree
from cornu.losses.targets import differ, shape

_BETWEEN_PROBABILITIES = (
    losses.kl_divergence,
    losses.KLDivergence,
    losses.categorical_crossentropy,
    losses.CategoricalCrossentropy,
)  # these compare what the softmax gives


class DistillationLoss:
    """Base of what a Distiller adds to the student's loss. A subclass defines `compute_loss`.

    >>> class Gap(DistillationLoss):
    ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
    ...         return ops.mean(ops.abs(teacher_outputs - student_outputs))
    >>> float(Gap().compute_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """

    teacher_layer_name = student_layer_name = None  # whose outputs are compared: None for those of the whole model

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        """A scalar, from the outputs of both for one batch."""
        raise NotImplementedError(f"{type(self).__name__}: a distillation loss defines `compute_loss(self, teacher_outputs, student_outputs, **kwargs)`.")

    def validate_outputs(self, teacher_outputs, student_outputs):
        """See that both have one structure and shapes that fit.

        Raises:
            ValueError: they have not.
        """
        tree.assert_same_structure(teacher_outputs, student_outputs)
        for teacher, student in zip(tree.flatten(teacher_outputs), tree.flatten(student_outputs)):
            a, b = shape(teacher), shape(student)
            if len(a) != len(b) or any(differ(i, j) for i, j in zip(a, b)):
                raise ValueError(
                    f"{type(self).__name__}: the teacher gives the shape {a} and the student {b}; wanted the same. Give the student a layer that brings its "
                    "values to the teacher's shape, and name that layer."
                )

    def validate_model_compatibility(self, teacher, student):
        """See that the loss can be computed for these models, before any data comes."""


class _OfLosses(DistillationLoss):
    """Losses of the library between the outputs of both, one for all of them or one for each."""

    def _take(self, loss):
        if loss is None or not any(item is not None for item in tree.flatten(loss)):
            raise ValueError(f"{type(self).__name__}: loss must be a loss, or a structure of them of which one at least is not None; got {loss!r}.")
        self.loss = tree.map_structure(self._known, loss)

    def _known(self, identifier):
        found = None if identifier is None else losses.get(identifier)
        if found is not None and not callable(found):
            raise TypeError(f"{type(self).__name__}: loss must be a name, a function or a Loss; got {identifier!r}.")
        return found

    def _sum(self, teacher_outputs, student_outputs, term):
        """The sum over the outputs of the means that `term(loss, teacher, student)` gives."""
        tree.assert_same_structure(self.loss, teacher_outputs)
        parts = zip(*(tree.flatten(structure) for structure in (self.loss, teacher_outputs, student_outputs)))
        found = [ops.mean(term(loss, teacher, student)) for loss, teacher, student in parts if loss is not None]
        total = found[0]
        for part in found[1:]:
            total = ops.add(total, part)
        return total

    def get_config(self):
        return {"loss": serialization.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config):
        """A loss from what `get_config` gave."""
        return cls(**{**config, "loss": _read(config["loss"])})


def _read(found):
    if isinstance(found, dict) and "class_name" not in found:
        return {key: _read(value) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [_read(value) for value in found]
    return losses.deserialize(found) if isinstance(found, dict) else found


class LogitsDistillation(_OfLosses):
    """The student's softened answers are drawn to the teacher's.

    Both models give logits. The Kullback-Leibler divergence and the crossentropy compare `softmax(logits / temperature)` and are multiplied by
    `temperature²`, which keeps their gradients as large at each temperature; other losses compare `logits / temperature`.

    Args:
        temperature: above 0; the higher, the more the teacher's small probabilities say.
        loss: name, function or Loss, `loss(teacher, student)`; for several outputs a structure of them (None for none).

    Raises:
        ValueError, TypeError: an argument that is neither.

    Units: nats for the Kullback-Leibler divergence.

    >>> same = np.array([[1.0, 2.0]])
    >>> float(LogitsDistillation(temperature=2.0).compute_loss(same, same))
    0.0

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """

    def __init__(self, temperature=3.0, loss="kl_divergence"):
        self.temperature = temperature
        ranges.check(self, "temperature", above=0)
        self._take(loss)

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        return self._sum(teacher_outputs, student_outputs, self._term)

    def _term(self, loss, teacher, student):
        teacher, student = (ops.divide(ops.convert_to_tensor(x), self.temperature) for x in (teacher, student))
        if not any(loss is known or (inspect.isclass(known) and isinstance(loss, known)) for known in _BETWEEN_PROBABILITIES):
            return loss(teacher, student)
        if not getattr(loss, "from_logits", False):
            student = ops.softmax(student, axis=-1)
        return ops.multiply(ops.mean(loss(ops.softmax(teacher, axis=-1), student)), self.temperature**2)

    def get_config(self):
        return {"temperature": self.temperature, **super().get_config()}


class FeatureDistillation(_OfLosses):
    """The values that a layer of the student gives are drawn to those of a layer of the teacher.

    Args:
        loss: name, function or Loss, `loss(teacher, student)`; for several outputs a structure of them (None for none).
        teacher_layer_name, student_layer_name: of the layers; None for the model's outputs.

    Raises:
        ValueError, TypeError: an argument that is neither.

    >>> float(FeatureDistillation().compute_loss(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]])))
    2.0

    Source: Romero et al., "FitNets: Hints for Thin Deep Nets", 2015, section 2.2.
    """

    def __init__(self, loss="mse", teacher_layer_name=None, student_layer_name=None):
        self._take(loss)
        for what, name in (("teacher_layer_name", teacher_layer_name), ("student_layer_name", student_layer_name)):
            if name is not None and not isinstance(name, str):
                raise TypeError(f"FeatureDistillation: {what} must be the name of a layer, or None; got {name!r} ({type(name).__name__}).")
        self.teacher_layer_name, self.student_layer_name = teacher_layer_name, student_layer_name

    def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
        return self._sum(teacher_outputs, student_outputs, lambda loss, teacher, student: loss(teacher, student))

    def validate_model_compatibility(self, teacher, student):
        """See that the layers exist, in models made of symbolic tensors.

        Raises:
            ValueError: they do not.
        """
        for what, model, name in (("teacher", teacher, self.teacher_layer_name), ("student", student, self.student_layer_name)):
            if name is None:
                continue
            if model._function is None:
                raise ValueError(
                    f"FeatureDistillation: {what}_layer_name={name!r} needs a model made of symbolic tensors (Sequential or Model(inputs, outputs)); the "
                    f"{what} {model.name!r} is a subclass of Model or not built. Leave the name away to compare the outputs, or use LogitsDistillation."
                )
            try:
                model.get_layer(name)
            except ValueError as error:
                raise ValueError(f"FeatureDistillation: {what}_layer_name={name!r}: {error}") from None

    def get_config(self):
        return {**super().get_config(), "teacher_layer_name": self.teacher_layer_name, "student_layer_name": self.student_layer_name}


for _class in (DistillationLoss, LogitsDistillation, FeatureDistillation):
    serialization.own(_class, "keras.distillation", "distillation")
