#!/usr/bin/env bash
# Version: tokenizers 0.23.3 (what transformers' fast tokenizers are made of)
# Expected: in a vocabulary of whole items, split at blanks, a new item "A1" gets a new number and no other item
#   changes. With `single_word=True` it matches only where it stands as a word by itself.
# Instead: added tokens are cut out of the text before the pre-tokenizer splits it, so "A12" becomes A1 and unknown. And
#   `single_word=True` has its own idea of a word: letters, digits and underscore. The item "A1-BLUE", one word for the
#   pre-tokenizer and an entry of the vocabulary, is still cut. A model that learned A1-BLUE gets A1 and unknown from
#   then on, without a word. Look the encoding of every old item up after adding one.
# Output:
#   before:                      A12 A1-BLUE bread
#   after add_tokens(["A1"]):    A1 [UNK] A1 [UNK] bread
#   with single_word=True:       A12 A1 [UNK] bread
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place"
"$place/bin/python" -m pip install --quiet tokenizers==0.23.3
"$place/bin/python" -I - <<'END'
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers


def encoded(*added):
    words = {"[UNK]": 0, "A12": 1, "A1-BLUE": 2, "bread": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_tokens(list(added))
    return " ".join(tokenizer.encode("A12 A1-BLUE bread").tokens)


seen = {
    "before:": encoded(),
    'after add_tokens(["A1"]):': encoded("A1"),
    "with single_word=True:": encoded(AddedToken("A1", single_word=True)),
}
for case, tokens in seen.items():
    print(f"{case:28} {tokens}")
expected = ["A12 A1-BLUE bread", "A1 [UNK] A1 [UNK] bread", "A12 A1 [UNK] bread"]
assert list(seen.values()) == expected, f"the behaviour has changed: {seen}"
END
