"""Transformers over items: pretraining, rules read from them, fine-tuning, distillation, serving.

Public names, by module:

    batches: ItemBatches
    checkpoints: Checkpoints
    compress: bf16, coded, factorised, size
    distil_loss: Mix
    export: NextItem, NextItemRecommender, to_onnx
    fine_tuning: VARIANTS, fine_tune, new_classifier
    gap_reading: Calibration, fill_gaps, from_gaps, gap_chances, items_to_come
    item_model: ItemModel, build_tokenizer, item_config, quiet_loading
    label_batches: Augmentation, class_inputs
    onnx_int8: quantise
    pruning: at_random, prune, zeroed
    readout: PartBatches, READOUT_SETTINGS, complete, confidences, left_out, read_rules
    recipes: Recipe
    recommender: ItemRecommender
    serve: OnnxRecommender
    students: narrowed
    teachers: CountingTeacher, JointTeacher, ModelTeacher, Student, TopTeacher, fidelity
    texts: PACKAGED, SentenceText, TfidfText, item_texts
    tokens: FIRST_ITEM, MASK, mark_visits
    training: Settings, Training, train
"""

from llmarm_tutorial.faces import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "batches": "ItemBatches",
        "checkpoints": "Checkpoints",
        "compress": "bf16 coded factorised size",
        "distil_loss": "Mix",
        "export": "NextItem NextItemRecommender to_onnx",
        "fine_tuning": "VARIANTS fine_tune new_classifier",
        "gap_reading": "Calibration fill_gaps from_gaps gap_chances items_to_come",
        "item_model": "ItemModel build_tokenizer item_config quiet_loading",
        "label_batches": "Augmentation class_inputs",
        "onnx_int8": "quantise",
        "pruning": "at_random prune zeroed",
        "readout": "PartBatches READOUT_SETTINGS complete confidences left_out read_rules",
        "recipes": "Recipe",
        "recommender": "ItemRecommender",
        "serve": "OnnxRecommender",
        "students": "narrowed",
        "teachers": "CountingTeacher JointTeacher ModelTeacher Student TopTeacher fidelity",
        "texts": "PACKAGED SentenceText TfidfText item_texts",
        "tokens": "FIRST_ITEM MASK mark_visits",
        "training": "Settings Training train",
    },
)
