"""Transformers over items: pretraining, rules read from them, fine-tuning, distillation, serving.

Public names, by module:

    batches: ItemBatches
    checkpoints: Checkpoints
    completion: CompletionRecipe
    compress: bf16, learnt_weights, measure_size
    export: NextItem, NextItemRecommender, to_onnx
    fine_tuning: VARIANTS, fine_tune, new_classifier
    gap_reading: Calibration, from_gaps, gap_chances, items_to_come, train_gap_model
    item_model: ItemModel, build_tokenizer, item_config, quiet_loading
    label_batches: Augmentation, class_inputs
    onnx_int8: quantise
    pruning: prune, prune_weights, random_importance
    readout: PartBatches, READOUT_SETTINGS, confidences, read_rules, train_completion_model
    recipes: Recipe
    recommender: ItemRecommender
    serve: OnnxRecommender
    shipped: trained
    shipped_recipes: RECIPES
    students: narrow_student, ready_to_learn
    teachers: Student, fidelity
    teaching: WAYS, teachers_of
    texts: ENCODER_PACKAGE, SentenceText, TfidfText, item_texts
    tokens: FIRST_ITEM, MASK, mark_visits
    training: Settings, Training, train
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "batches": "ItemBatches",
        "checkpoints": "Checkpoints",
        "completion": "CompletionRecipe",
        "compress": "bf16 learnt_weights measure_size",
        "export": "NextItem NextItemRecommender to_onnx",
        "fine_tuning": "VARIANTS fine_tune new_classifier",
        "gap_reading": "Calibration from_gaps gap_chances items_to_come train_gap_model",
        "item_model": "ItemModel build_tokenizer item_config quiet_loading",
        "label_batches": "Augmentation class_inputs",
        "onnx_int8": "quantise",
        "pruning": "prune prune_weights random_importance",
        "readout": "PartBatches READOUT_SETTINGS confidences read_rules train_completion_model",
        "recipes": "Recipe",
        "recommender": "ItemRecommender",
        "serve": "OnnxRecommender",
        "shipped": "trained",
        "shipped_recipes": "RECIPES",
        "students": "narrow_student ready_to_learn",
        "teachers": "Student fidelity",
        "teaching": "WAYS teachers_of",
        "texts": "ENCODER_PACKAGE SentenceText TfidfText item_texts",
        "tokens": "FIRST_ITEM MASK mark_visits",
        "training": "Settings Training train",
    },
)
