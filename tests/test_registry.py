"""Names of models, readers and losses, and what a constructor says of its hyper-parameters."""

import keras
import pytest

import models  # noqa: F401  registers the models
import readers  # noqa: F401  registers the readers
from models.base import ClassifierOnTop, classifier_hyper_parameters
from yt8m_audio.errors import UserError, nearest
from yt8m_audio.registry import MODELS, READERS, Registry, argument_help, hyper_parameters


@pytest.fixture
def registry():
    return Registry("animal", "pet")


class Base:
    """An animal.

    Args:
        legs: how many it
            stands on.
        name: what the framework calls it.
    """

    def __init__(self, *, name, legs: int | None = None, tail=True):
        self.name, self.legs, self.tail = name, legs, tail


class Cat(Base):
    """A cat.

    Args:
        purr: share of the day, in [0, 1).

            It adds up.
        tail: whether it has one: Manx do not.

    Raises:
        ValueError: never.
    """

    def __init__(self, *, purr=0.5, tail=False, fur: str | None = None, weight: float | None = None, **kwargs):
        super().__init__(tail=tail, **kwargs)
        self.purr, self.fur, self.weight = purr, fur, weight


def test_a_class_is_found_by_its_name(registry):
    assert registry.register(Cat) is Cat
    registry.register(Base)
    assert registry.get("Cat") is Cat
    assert registry.names() == ["Base", "Cat"]


@pytest.mark.parametrize(
    ("name", "hint"), [("Cta", " Did you mean Cat?"), ("cat", " Did you mean Cat?"), ("Zebra", "")]
)
def test_an_unknown_name_answers_with_the_nearest_and_the_known(registry, name, hint):
    registry.register(Cat)
    registry.register(Base)
    with pytest.raises(UserError) as error:
        registry.get(name)
    assert str(error.value) == f"--pet={name} is no animal.{hint} Known: Base, Cat."


def test_a_class_is_found_by_its_module_too(registry):
    registry.register(Cat)
    assert registry.get(f"{__name__}:Cat") is Cat
    assert f"{__name__}:Cat" in registry
    assert registry.names_in(__name__) == [f"{__name__}:Cat"]
    assert registry.names() == ["Cat"]


def test_two_classes_of_a_name_do_not_replace_each_other(registry):
    registry.register(Cat)
    with pytest.raises(UserError, match=f"zoo:Cat has the name of another animal, {__name__}:Cat: rename one of them."):
        registry.register(type("Cat", (), {"__module__": "zoo"}))
    again = type("Cat", (), {"__module__": __name__})
    registry.register(again)
    assert registry.get("Cat") is registry.get(f"{__name__}:Cat") is again


def test_an_error_names_the_flag_that_asked(registry):
    registry.register(Cat)
    with pytest.raises(UserError, match=r"^--other_pet=Dog is no animal\. Known: Cat\.$"):
        registry.get("Dog", "other_pet")


def test_what_keras_saves_is_registered_with_keras(registry):
    class Stripes(keras.layers.Layer):
        """A layer."""

    registry.register(Stripes)
    assert keras.saving.get_registered_object("yt8m_audio>Stripes") is Stripes
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(Stripes(name="s"))).name == "s"


def test_the_starters_models_and_the_reader_are_registered():
    assert {"LogisticModel", "MoeModel", "FrameLevelLogisticModel", "DbofModel", "LstmModel"} <= set(MODELS.names())
    assert "AudioSetFrameReader" in READERS.names()


def test_hyper_parameters_are_the_arguments_with_defaults():
    found = hyper_parameters(Cat)
    assert {name: (each.default, each.type) for name, each in found.items()} == {
        "purr": (0.5, float),
        "tail": (False, bool),
        "fur": (None, str),
        "weight": (None, float),
        "legs": (None, int),
    }
    assert list(found) == ["purr", "tail", "fur", "weight", "legs"]


def test_their_help_is_the_docstrings():
    helps = {name: each.help for name, each in hyper_parameters(Cat).items()}
    assert helps["purr"] == "share of the day, in [0, 1)."
    assert helps["tail"] == "whether it has one: Manx do not."
    assert helps["legs"] == "how many it stands on."
    assert helps["fur"] == ""


def test_a_section_ends_where_the_next_begins():
    assert set(argument_help(Cat)) == {"purr", "tail"}
    assert argument_help(type("Bare", (), {})) == {}


@pytest.mark.parametrize("name", MODELS.names())
def test_every_hyper_parameter_of_a_model_has_its_help(name):
    assert [each.name for each in hyper_parameters(MODELS.get(name)).values() if not each.help] == []


@pytest.mark.parametrize("name", MODELS.names())
def test_what_the_framework_gives_is_no_hyper_parameter(name):
    assert not {"num_classes", "feature_sizes", "name", "dtype"} & set(hyper_parameters(MODELS.get(name)))


@pytest.mark.parametrize("name", [name for name in MODELS.names() if issubclass(MODELS.get(name), ClassifierOnTop)])
def test_a_model_and_the_one_on_top_of_it_share_no_hyper_parameter(name):
    own = hyper_parameters(MODELS.get(name)).keys() - hyper_parameters(ClassifierOnTop).keys()
    on_top = [cls for cls in map(MODELS.get, MODELS.names()) if cls.level == "video"]
    assert [(cls.__name__, own & classifier_hyper_parameters(cls).keys()) for cls in on_top] == [
        (cls.__name__, set()) for cls in on_top
    ]


def test_an_argument_by_place_is_a_hyper_parameter_too():
    class Dog:
        """A dog."""

        def __init__(self, sticks=2, **kwargs):
            self.sticks = sticks

    class Puppy(Dog):
        """A dog that decides on its sticks."""

        def __init__(self, *, naps=3):
            super().__init__(sticks=1)

    assert [(each.name, each.default) for each in hyper_parameters(Dog).values()] == [("sticks", 2)]
    assert list(hyper_parameters(Puppy)) == ["naps"]


def test_nearest():
    assert nearest("lstm_cels", ["lstm_cells", "lstm_layers"]) == " Did you mean lstm_cells?"
    assert nearest("xyz", ["lstm_cells"]) == ""
