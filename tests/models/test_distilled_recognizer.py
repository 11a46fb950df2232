import numpy as np
import paddle
import pytest

from toolkit.models import heads, necks
from toolkit.models.backbones.small_resnet import SmallResNet
from toolkit.models.distillation import DistilledRecognizer
from toolkit.models.recognizer import Recognizer
from toolkit.training.named_optimizer import named_parameters


def small(width, head):
    neck = necks.BNNeck(2 * width)
    return Recognizer(SmallResNet(widths=[width, 2 * width], stage_strides=[2, 2]), neck, head)


@pytest.fixture
def batch():
    paddle.seed(0)
    return paddle.randn([4, 3, 16, 16]), paddle.to_tensor([0, 1, 2, 3])


@pytest.fixture
def student():
    paddle.seed(1)
    return small(4, heads.FC(8, 5))


@pytest.fixture
def teacher():
    paddle.seed(2)
    return small(6, heads.ArcMargin(12, 5, margin=0.3, scale=20.0))


def arrays(layer):
    return {name: value.numpy().copy() for name, value in layer.state_dict().items()}


@pytest.mark.parametrize("trainable", [False, True])
def test_gives_the_outputs_of_both(student, teacher, trainable, batch):
    network = DistilledRecognizer(student, teacher, trainable=trainable)
    shapes = {name: value.shape for name, value in network(*batch).items()}
    assert shapes == {
        "backbone": [4, 8],
        "features": [4, 8],
        "logits": [4, 5],
        "teacher_backbone": [4, 12],
        "teacher_features": [4, 12],
        "teacher_logits": [4, 5],
    }
    assert set(network.outputs) == set(shapes)


@pytest.mark.parametrize("trainable", [False, True])
def test_is_the_student_to_all_who_evaluate_or_export(student, teacher, trainable, batch):
    network = DistilledRecognizer(student, teacher, trainable=trainable)
    network.eval()
    student.eval()
    embedding = student.embed(batch[0]).numpy()
    np.testing.assert_array_equal(network.embed(batch[0]).numpy(), embedding)
    np.testing.assert_array_equal(network(*batch)["features"].numpy(), embedding)
    assert (network.out_features, network.output_sizes) == (8, {"features": 8, "backbone": 8})
    own = {name for name in network.state_dict() if not name.startswith("teacher.")}
    assert own == set(student.state_dict())


def test_a_frozen_teacher_is_no_part_of_the_network_and_does_not_change(student, teacher, batch):
    network = DistilledRecognizer(student, teacher, trainable=False)
    assert set(network.state_dict()) == set(student.state_dict())
    assert {item.name for item in named_parameters(network)} == {
        item.name for item in named_parameters(student)
    }
    before = arrays(teacher)
    network.train()
    outputs = network(*batch)
    assert not teacher.training
    assert outputs["features"].stop_gradient is False
    assert all(value.stop_gradient for name, value in outputs.items() if "teacher" in name)
    for name, value in arrays(teacher).items():  # the statistics of batch norm among them
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_a_frozen_teacher_gives_what_it_gives_in_evaluation(student, teacher, batch):
    network = DistilledRecognizer(student, teacher, trainable=False)
    network.train()
    outputs = network(*batch)
    teacher.eval()
    expected = teacher(batch[0])
    np.testing.assert_array_equal(outputs["teacher_features"].numpy(), expected["features"].numpy())
    # Its head's cosines at the scale of its training; a margin is for who is trained.
    np.testing.assert_allclose(
        outputs["teacher_logits"].numpy(), 20.0 * expected["logits"].numpy(), rtol=1e-6
    )


def test_a_trainable_teacher_is_trained_with_its_margin(student, teacher, batch):
    network = DistilledRecognizer(student, teacher, trainable=True)
    network.train()
    outputs = network(*batch)
    assert teacher.training
    true = np.arange(4), batch[1].numpy()
    plain = teacher.head(outputs["teacher_features"]).numpy()
    assert (outputs["teacher_logits"].numpy()[true] < 20.0 * plain[true]).all()
    outputs["teacher_logits"].sum().backward()
    trained = {item.name for item in named_parameters(network) if item.parameter.grad is not None}
    assert trained == {f"teacher.{item.name}" for item in named_parameters(teacher)}


def test_a_teacher_without_a_head_gives_no_logits(student, batch):
    network = DistilledRecognizer(student, small(6, None), trainable=False)
    outputs = network(*batch)
    assert "teacher_features" in outputs
    assert "teacher_logits" not in outputs
