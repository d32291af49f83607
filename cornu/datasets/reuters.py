"""11,228 newswires of Reuters, as word numbers, in 46 topics."""

import json

from cornu.datasets import origin, pickled, shuffle, words

_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass crude nat-gas cpi money-fx "
    "interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem "
    "dlr gas silver wpi hog lead"
)


def load_data(path="reuters.npz", num_words=None, skip_top=0, maxlen=None, test_split=0.2, seed=113, start_char=1, oov_char=2, index_from=3):
    """The Reuters newswires as lists of word numbers; a small number is a frequent word.

    Args:
        path: name of the file in the cache.
        num_words: words with a number of at least this become `oov_char`; None keeps all but the very last one.
        skip_top: words with a number below this become `oov_char`.
        maxlen: texts of this length or longer are left out; None keeps all.
        test_split: fraction of the texts for testing.
        seed: of the order of the texts.
        start_char: put before each text; None puts nothing.
        oov_char: stands for a word left out; None drops the word.
        index_from: added to the numbers of `get_word_index()`; 0 is free for padding.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train (8982,), x_test (2246,): lists of int
        y_train, y_test: int64, 0 to 45, the place in `get_label_names()`

    Raises:
        ValueError: `maxlen` leaves no text, or `test_split` out of range.
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: Lewis, "Reuters-21578 text categorization test collection", 1997.
    """
    shuffle.check_fraction(test_split)
    file = origin.fetch("reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916", path)
    x, y = shuffle.shuffled(seed, *pickled.load_npz(file, "x", "y"))
    x, y = words.mark_starts(x, y, maxlen, start_char, index_from)
    return shuffle.split(words.leave_out(x, num_words, skip_top, oov_char), y, test_split)


def get_word_index(path="reuters_word_index.json"):
    """Word -> its number, 1 for the most frequent; `load_data` adds `index_from` (3) to it.

    Args:
        path: name of the file in the cache.
    """
    with open(origin.fetch("reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921", path), encoding="utf-8") as file:
        return json.load(file)


def get_label_names():
    """The 46 topics, in the order of their numbers."""
    return tuple(_TOPICS.split())
