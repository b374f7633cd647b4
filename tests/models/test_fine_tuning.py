"""Fine-tuning: every variant trains what it says and nothing else, and learns what can be learned."""

from __future__ import annotations

import builtins
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from llmarm_tutorial.data.histories import Histories
from llmarm_tutorial.errors import BadParameter, Missing, UnknownName
from llmarm_tutorial.labels.tasks import Labelled
from llmarm_tutorial.models import compress, pruning
from llmarm_tutorial.models.adapters import Sizes
from llmarm_tutorial.models.fine_tuning import VARIANTS, FineTuned, class_loss, fine_tune, new_classifier, probabilities
from llmarm_tutorial.models.item_model import ItemModel, item_config
from llmarm_tutorial.models.label_batches import Augmentation, ClassBatches, class_inputs
from llmarm_tutorial.models.tokens import FIRST_ITEM, MASK, PAD
from llmarm_tutorial.models.training import Settings

N_ITEMS = 12


pytestmark = pytest.mark.usefixtures("one_thread")


def pretrained(seed: int = 0, **options) -> ItemModel:
    shape = {"objective": "masked", "positions": False, "hidden": 16, "heads": 2, "max_length": 10, "spread": 0.1}
    return ItemModel(item_config(N_ITEMS, **(shape | options)), seed=seed).eval()


def task(n: int = 240, *, pairs: bool = False, seed: int = 0) -> Labelled:
    """Sets of three items; class 1 has two or more of the items from 6 on, with pairs the second set has one."""
    random = np.random.default_rng(seed)
    sets = [random.choice(N_ITEMS, 3, replace=False).tolist() for _ in range(n)]
    others = [[int(random.integers(N_ITEMS))] for _ in range(n)] if pairs else None
    high = np.array([sum(code >= 6 for code in codes) >= 2 for codes in sets])
    labels = high if others is None else np.array([other[0] >= 6 for other in others])
    return Labelled(
        name="toy",
        classes=("no", "yes"),
        sets=Histories.from_lists(sets),
        others=None if others is None else Histories.from_lists(others),
        labels=labels.astype(np.int64),
        part=np.repeat([0, 1, 2], [n - 2 * (n // 4), n // 4, n // 4]).astype(np.int8),
        counts=np.zeros((n, 1), np.float32),
        count_names=("nothing",),
        clusters=np.arange(n),
        metric="AUROC",
    )


# --- tokens and batches ----------------------------------------------------------------------------------------------


def test_an_example_is_a_mask_its_items_and_the_second_set_as_segment_one():
    given = class_inputs(Histories.from_lists([[3, 5], [7]]), Histories.from_lists([[1], [2]]), 10)
    item = FIRST_ITEM
    assert given["input_ids"].tolist() == [[MASK, 3 + item, 5 + item, 1 + item], [MASK, 7 + item, 2 + item, PAD]]
    assert given["token_type_ids"].tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]
    assert given["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]


def test_of_a_long_set_the_latest_items_are_kept_and_the_second_set_whole():
    given = class_inputs(Histories.from_lists([[0, 1, 2, 3, 4]]), Histories.from_lists([[8, 9]]), 5)
    assert (given["input_ids"] - FIRST_ITEM).tolist() == [[MASK - FIRST_ITEM, 3, 4, 8, 9]]
    with pytest.raises(BadParameter, match="room for 1"):
        class_inputs(Histories.from_lists([[0]]), Histories.from_lists([[8, 9]]), 2)


def test_an_empty_set_is_a_mask_alone():
    assert class_inputs(Histories.from_lists([[], []]), None, 4)["input_ids"].tolist() == [[MASK], [MASK]]


def test_an_epoch_shows_every_example_once_in_an_order_of_its_own():
    labelled = task(40).of("train")
    batches = ClassBatches(labelled, 8, batch_size=8, seed=3)

    def shown(epoch: int) -> list[tuple[int, ...]]:
        return [
            tuple(row)
            for batch in batches.stream(epoch, range(batches.count(epoch)))
            for row in batch["input_ids"].tolist()
        ]

    everything = class_inputs(labelled.sets, None, 8)["input_ids"].tolist()
    assert sorted(shown(0)) == sorted(map(tuple, everything))
    assert shown(0) == shown(0)
    assert shown(0) != shown(1)
    assert sum(batch["size"] for batch in batches.stream(0, range(batches.count(0)))) == len(labelled)


def test_batches_can_be_asked_for_from_the_middle():
    batches = ClassBatches(task(40).of("train"), 8, batch_size=4, augmentation=Augmentation(drop=0.5))
    whole = [batch["input_ids"] for batch in batches.stream(2, range(4))]
    (last,) = batches.stream(2, [3])
    assert torch.equal(last["input_ids"], whole[3])


def test_fingerprints_differ_where_batches_would():
    labelled, near = task(40), np.zeros((N_ITEMS, 2), int)
    made = [
        ClassBatches(labelled.of("train"), 8),
        ClassBatches(labelled.of("validation"), 8),
        ClassBatches(labelled.of("train"), 8, seed=1),
        ClassBatches(labelled.of("train"), 8, augmentation=Augmentation(drop=0.1)),
        ClassBatches(labelled.of("train"), 8, augmentation=Augmentation(substitute=0.1, neighbours=near)),
        ClassBatches(labelled.of("train"), 8, augmentation=Augmentation(substitute=0.1, neighbours=near + 1)),
        ClassBatches(task(40, pairs=True).of("train"), 8),
    ]
    assert len({batches.fingerprint() for batches in made}) == len(made)


def test_augmentation_drops_replaces_and_shuffles():
    random, codes = np.random.default_rng(0), np.arange(8)
    for _ in range(20):
        kept = Augmentation(drop=0.9)(codes, random)
        assert len(kept) >= 1
        assert set(kept) <= set(codes)
    near = (np.arange(N_ITEMS)[:, None] + 1) % N_ITEMS
    assert Augmentation(substitute=1, neighbours=near)(codes, random).tolist() == list(range(1, 9))
    shuffled = Augmentation(reorder=True)(codes, random)
    assert sorted(shuffled) == codes.tolist() != shuffled.tolist()


@pytest.mark.parametrize("wrong", [{"drop": 1.0}, {"drop": -0.1}, {"substitute": 2.0}, {"substitute": 0.1}])
def test_an_impossible_augmentation_is_refused(wrong):
    with pytest.raises(BadParameter):
        Augmentation(**wrong)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"max_length": 1}])
def test_impossible_batches_are_refused(wrong):
    with pytest.raises(BadParameter, match="at least"):
        ClassBatches(task(8), **({"max_length": 8} | wrong))


# --- classifiers -----------------------------------------------------------------------------------------------------


def trained_names(model: torch.nn.Module) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def test_each_variant_trains_what_it_says():
    start = pretrained()
    trained = {variant: trained_names(new_classifier(start, 2, variant, steps=100)) for variant in VARIANTS}
    counts = {
        variant: sum(w.numel() for w in new_classifier(start, 2, variant, steps=100).parameters() if w.requires_grad)
        for variant in VARIANTS
    }
    assert trained["linear head"] == {"classifier.weight", "classifier.bias"}
    assert trained["scratch"] == trained["full"]
    assert not any("position" in name for name in trained["full"]), "a model of sets stays one"
    assert all(
        name.startswith(("classifier", "bert.pooler", "bert.encoder.layer.1")) for name in trained["top layer"]
    ), "two layers: the last has number 1"
    assert any("layer.1" in name for name in trained["top layer"])
    marks = {"LoRA": "lora_", "AdaLoRA": "lora_", "IA3": "ia3_", "adapters": ".dense.1."}
    marks |= dict.fromkeys(("prefix tuning", "prompt tuning"), "prompt_encoder")
    for variant, mark in marks.items():
        assert all(mark in name or "classifier" in name for name in trained[variant]), variant
        assert any(mark in name for name in trained[variant]), variant
        assert any("classifier" in name for name in trained[variant]), variant
        assert counts["linear head"] < counts[variant] < counts["full"] / 3, variant


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v not in ("scratch", "prefix tuning", "prompt tuning")])
def test_a_classifier_starts_from_what_pretraining_knows(variant):
    start = pretrained()
    model = new_classifier(start, 2, variant, steps=100).eval()
    given = class_inputs(Histories.from_lists([[1, 2, 3], [4]]), None, 8)
    states = start.hidden(given["input_ids"], given["attention_mask"])[:, 0]
    head = next(m for name, m in model.named_modules() if name.endswith(("classifier", "modules_to_save.default")))
    linear = next(m for m in head.modules() if isinstance(m, torch.nn.Linear))
    assert torch.allclose(model(**given).logits, linear(torch.tanh(states)), atol=1e-5)


def test_scratch_does_not_know_the_pretrained_weights_and_leaves_them_alone():
    start = pretrained()
    before = {name: weight.clone() for name, weight in start.state_dict().items()}
    a, b = new_classifier(start, 2, "scratch", seed=5), new_classifier(pretrained(seed=9), 2, "scratch", seed=5)
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    fine_tune(start, task(60), "full", Settings(epochs=1, precision="no"), max_length=6)
    assert all(torch.equal(weight, before[name]) for name, weight in start.state_dict().items())


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_frozen_stays_and_what_is_trained_moves(variant):
    start, labelled = pretrained(), task(60)
    settings = Settings(epochs=3, learning_rate=0.01, precision="no", seed=2)
    fresh = new_classifier(start, 2, variant, steps=3 * len(labelled.of("train")) // 4, seed=2)
    tuned = fine_tune(start, labelled, variant, settings, max_length=6, batch_size=4)
    before = dict(fresh.named_parameters())
    moved = {name for name, weight in tuned.model.named_parameters() if not torch.equal(weight, before[name])}
    assert moved <= trained_names(fresh)
    assert len(moved) > len(trained_names(fresh)) / 2


@pytest.mark.parametrize("variant", ["full", "LoRA", "adapters"])
def test_a_rule_that_can_be_learned_is_learned(variant):
    tuned = fine_tune(
        pretrained(),
        task(),
        variant,
        Settings(epochs=25, learning_rate=0.01, patience=25, precision="no"),
        max_length=6,
        batch_size=16,
    )
    assert tuned.scores(task().of("test")).value("AUROC") > 0.9


def test_the_second_set_is_told_from_the_first():
    labelled = task(400, pairs=True)
    settings = Settings(epochs=30, learning_rate=0.01, patience=30, precision="no")
    tuned = fine_tune(pretrained(), labelled, "full", settings, max_length=6, batch_size=16)
    assert tuned.scores(labelled.of("test")).value("AUROC") > 0.85


def test_adalora_ends_with_fewer_ranks_than_it_began():
    tuned = fine_tune(
        pretrained(),
        task(),
        "AdaLoRA",
        Settings(epochs=10, learning_rate=0.01, patience=10, precision="no"),
        max_length=6,
        batch_size=8,
    )
    ranks = [weight for name, weight in tuned.model.named_parameters() if "lora_E" in name]
    # the best epoch may be one before the last cut, so not all of a third need be gone
    assert 0 < sum(int((weight == 0).sum()) for weight in ranks) < sum(weight.numel() for weight in ranks)


def test_the_same_seed_gives_the_same_probabilities_another_one_others():
    def run(seed: int) -> np.ndarray:
        settings = Settings(epochs=2, precision="no", seed=seed)
        return (
            fine_tune(pretrained(), task(80), "LoRA", settings, max_length=6).scores(task(80).of("test")).probabilities
        )

    assert np.array_equal(run(1), run(1))
    assert not np.allclose(run(1), run(2))


def test_probabilities_do_not_depend_on_who_is_beside():
    model, labelled = new_classifier(pretrained(), 3), task(30)
    labelled = Labelled(**{**vars(labelled), "classes": ("a", "b", "c")})
    whole = probabilities(model, labelled, 8)
    assert whole.shape == (30, 3)
    assert np.allclose(whole.sum(axis=1), 1)
    assert np.allclose(probabilities(model, labelled, 8, block=7), whole, atol=1e-6)


def test_the_number_of_trained_weights_and_the_memory_of_training_are_told():
    start = pretrained()
    tuned = fine_tune(start, task(60), "linear head", Settings(epochs=1, precision="no"), max_length=6)
    assert isinstance(tuned, FineTuned)
    assert tuned.trainable == 2 * 16 + 2
    total = sum(weight.numel() for weight in tuned.model.parameters())
    assert tuned.state_bytes == 4 * total + 12 * tuned.trainable


def test_smoothing_spreads_a_share_of_each_label_over_all_classes():
    class Fixed(torch.nn.Module):
        def forward(self, logits: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=logits)

    logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    logs = logits.log_softmax(dim=1)
    plain, smooth = (class_loss(Fixed(), {"logits": logits, "labels": labels}, s) for s in (0.0, 0.2))
    assert torch.isclose(plain, -logs[:, 0].mean())
    assert torch.isclose(smooth, -(0.9 * logs[:, 0] + 0.1 * logs[:, 1]).mean())


def test_the_loss_leaves_its_batch_as_it_was():
    (batch,) = ClassBatches(task(8).of("train"), 8, batch_size=64).stream(0, [0])
    given = {name: value for name, value in batch.items() if name != "size"}
    before = {name: value.clone() for name, value in given.items()}
    model = new_classifier(pretrained(), 2)
    assert torch.equal(class_loss(model.eval(), given), class_loss(model, given))
    assert given.keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in given.items())


def test_new_weights_come_from_the_seed_and_nothing_drawn_later_notices():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    one, same, other = (new_classifier(pretrained(), 3, "adapters", seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(weight, same[name]) for name, weight in one.items())
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])


# --- what a user can do wrong ----------------------------------------------------------------------------------------


def test_an_unknown_variant_names_those_there_are():
    with pytest.raises(UnknownName, match="Did you mean 'adapters'"):
        new_classifier(pretrained(), 2, "adapter")


@pytest.mark.parametrize("variant", ["full", "scratch", "LoRA"])
def test_a_compressed_model_is_refused(variant):
    """Its parts have other shapes than a plain BERT's; cut neurons are in the configuration and fit."""
    model = pretrained()
    for compressed in (pruning.prune(model, heads=0.5), compress.factorise_table(model, rank=2)):
        with pytest.raises(BadParameter, match="give a whole model"):
            new_classifier(compressed, 2, variant, steps=20)
    new_classifier(pruning.prune(model, neurons=0.5), 2, variant, steps=20)


def test_a_causal_model_is_refused():
    with pytest.raises(BadParameter, match="give a masked one"):
        new_classifier(pretrained(objective="causal"), 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_classes": 1}, "at least 2"),
        ({"n_classes": 2, "dropout": 1.0}, "below 1"),
        ({"n_classes": 2, "sizes": Sizes(rank=0)}, "at least 1"),
        ({"n_classes": 2, "variant": "AdaLoRA"}, "at least 10"),
    ],
)
def test_impossible_classifiers_are_refused(options, said):
    with pytest.raises(BadParameter, match=said):
        new_classifier(pretrained(), **options)


def test_impossible_fine_tunings_are_refused():
    with pytest.raises(BadParameter, match="smoothing"):
        fine_tune(pretrained(), task(20), smoothing=1.0)
    with pytest.raises(BadParameter, match="positions"):
        fine_tune(pretrained(positions=True), task(20), max_length=12)


def test_without_peft_the_message_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "peft":
            raise ImportError
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Missing, match=r"llmarm\[models\]"):
        new_classifier(pretrained(), 2, "LoRA")
