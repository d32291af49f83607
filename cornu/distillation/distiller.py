"""A model that trains a student by its own loss and by what its teacher says."""

import warnings

from cornu import metrics, ops, ranges, serialization, tree
from cornu.distillation.losses import DistillationLoss
from cornu.losses.targets import differ
from cornu.models import Functional, Model

_WHOLE = "final_output"


class Distiller(Model):
    """Train `student` on labels and on what a trained `teacher` says of the same inputs; the teacher stays as it is.

    The loss is `student_loss_weight * loss(y, y_pred) + (1 - student_loss_weight) * Σ weight * distillation loss`. Predictions are the student's.

    Args:
        teacher: a trained Model; it is frozen.
        student: a Model that takes the same inputs.
        distillation_losses: a DistillationLoss, or a list of them.
        distillation_loss_weights: list of numbers, one for each; 1 each by default.
        student_loss_weight: from 0 (the teacher alone counts) to 1 (the labels alone count).
        name: name of the model.

    Raises:
        ValueError, TypeError: models, losses and weights that do not fit.

    >>> distiller = Distiller(teacher, student, LogitsDistillation(temperature=4.0), student_loss_weight=0.3)
    >>> distiller.compile("adam", "sparse_categorical_crossentropy")
    >>> history = distiller.fit(x, y, verbose=0)

    Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015.
    """

    def __init__(self, teacher, student, distillation_losses, distillation_loss_weights=None, student_loss_weight=0.5, name="distiller", **kwargs):
        super().__init__(name=name, **kwargs)
        found = distillation_losses if isinstance(distillation_losses, (list, tuple)) else [distillation_losses]
        weights = [1.0] * len(found) if distillation_loss_weights is None else distillation_loss_weights
        weights = list(weights) if isinstance(weights, (list, tuple)) else [weights]
        self.student_loss_weight = student_loss_weight
        ranges.check(self, "student_loss_weight", least=0, most=1)
        for what, model in (("teacher", teacher), ("student", student)):
            if not isinstance(model, Model):
                raise TypeError(f"Distiller: {what} must be a Model; got {model!r} ({type(model).__name__}).")
        if not found or not all(isinstance(loss, DistillationLoss) for loss in found):
            raise TypeError(f"Distiller: distillation_losses must be a DistillationLoss, or a list of them of at least one; got {distillation_losses!r}.")
        if len(weights) != len(found):
            raise ValueError(f"Distiller: wanted a weight for each of {len(found)} distillation losses; got distillation_loss_weights={weights!r}.")
        for what in ("input", "output") if any(loss.teacher_layer_name is loss.student_layer_name is None for loss in found) else ("input",):
            _see_fit(what, teacher, student)
        for loss in found:
            loss.validate_model_compatibility(teacher, student)
        teacher.trainable = False
        self.teacher, self.student = teacher, student
        self.distillation_losses, self.distillation_loss_weights = list(found), weights
        self._teacher_feature_extractor = _extractor(teacher, [loss.teacher_layer_name for loss in found])
        self._student_feature_extractor = _extractor(student, [loss.student_layer_name for loss in found])
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")

    def call(self, inputs, training=None, **kwargs):
        """The student's outputs."""
        return self.student(inputs, training=training, **kwargs)

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """As `Model.compile`; `loss` is the student's, between labels and its outputs.

        Raises:
            ValueError: no loss, where labels count.
        """
        if loss is None and self.student_loss_weight > 0:
            raise ValueError(
                f"{self._label()}: student_loss_weight is {self.student_loss_weight}, so compile needs a loss between labels and the student's outputs: "
                "compile(optimizer, loss=...)."
            )
        super().compile(optimizer, loss, **kwargs)

    def compile_from_config(self, config):
        """As `Model.compile_from_config`. A file of Keras's has no student's loss: then `compile` is left to you."""
        if config and config.get("loss") is None and self.student_loss_weight > 0:
            warnings.warn(f"{self._label()}: the file does not say the student's loss; call compile(optimizer, loss=...) before fit.", stacklevel=2)
            return
        super().compile_from_config(config)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The student's loss and the distillation losses, weighted; see `Model.compute_loss`."""
        share = self.student_loss_weight
        own = super().compute_loss(x, y, y_pred, sample_weight, training) if share > 0 else ops.zeros(())
        told = ops.zeros(())
        if share < 1:
            from_teacher = _features(self.teacher, self._teacher_feature_extractor, x, None, False)
            from_student = _features(self.student, self._student_feature_extractor, x, y_pred, training)
            for loss, weight in zip(self.distillation_losses, self.distillation_loss_weights):
                pair = from_teacher[loss.teacher_layer_name or _WHOLE], from_student[loss.student_layer_name or _WHOLE]
                loss.validate_outputs(*pair)
                told = ops.add(told, ops.multiply(ops.cast(loss.compute_loss(*pair), "float32"), weight))
        total = ops.add(ops.multiply(own, share), ops.multiply(told, 1 - share))
        for tracker, value in ((self.student_loss_tracker, own), (self.distillation_loss_tracker, told), (self.total_loss_tracker, total)):
            tracker.update_state(value)
        return total

    def get_config(self):
        written = serialization.serialize_keras_object
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": written(self.dtype_policy),
            "teacher": written(self.teacher),
            "student": written(self.student),
            "distillation_losses": [written(loss) for loss in self.distillation_losses],
            "distillation_loss_weights": list(self.distillation_loss_weights),
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A Distiller from what `get_config` gave."""
        read = lambda found, kind: serialization.deserialize_keras_object(found, custom_objects, kind=kind)
        config = {**config, "teacher": read(config["teacher"], "models"), "student": read(config["student"], "models")}
        return cls(**{**config, "distillation_losses": [read(loss, "distillation") for loss in config["distillation_losses"]]})


serialization.own(Distiller, "keras.distillation", "distillation")


def _see_fit(what, teacher, student):
    """See that the shapes of inputs or outputs of both models fit, where they are known."""
    if teacher._function is None or student._function is None:
        return
    pairs = list(zip(getattr(teacher, f"{what}s"), getattr(student, f"{what}s")))
    for a, b in [(tuple(a.shape), tuple(b.shape)) for a, b in pairs]:
        if len(a) != len(b) or any(differ(i, j) for i, j in zip(a, b)):
            raise ValueError(f"Distiller: the teacher's {what} has the shape {a} and the student's {b}; wanted the same.")


def _extractor(model, names):
    """A model that gives the outputs and, by name, what the layers give; None where no layer is named."""
    if not any(names):
        return None
    outputs = {_WHOLE: model.outputs[0] if len(model.outputs) == 1 else list(model.outputs)}
    outputs.update({name: model.get_layer(name).output for name in names if name is not None})
    return Functional(model.inputs, outputs, name=f"{model.name}_multi_feature_extractor")


def _features(model, extractor, x, y_pred, training):
    """What `extractor` gives for a batch, or the outputs alone."""
    if extractor is None:
        return {_WHOLE: model(x, training=training) if y_pred is None else y_pred}
    found = extractor(tree.flatten(x) if len(extractor.inputs) > 1 else x, training=training)
    return found if y_pred is None else {**found, _WHOLE: y_pred}
