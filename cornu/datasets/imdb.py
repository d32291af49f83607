"""50,000 reviews of films, as word numbers, each for or against."""

import json
import warnings

import numpy as np

from cornu.datasets import origin, pickled, shuffle, words


def load_data(path="imdb.npz", num_words=None, skip_top=0, maxlen=None, seed=113, start_char=1, oov_char=2, index_from=3, **kwargs):
    """The IMDB reviews as lists of word numbers; a small number is a frequent word.

    Args:
        path: name of the file in the cache.
        num_words: words with a number of at least this become `oov_char`; None keeps all but the very last one.
        skip_top: words with a number below this become `oov_char`.
        maxlen: reviews of this length or longer are left out; None keeps all.
        seed: of the order of the reviews.
        start_char: put before each review; None puts nothing.
        oov_char: stands for a word left out; None drops the word.
        index_from: added to the numbers of `get_word_index()`; 0 is free for padding.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Shapes:
        x_train, x_test (25000,): lists of int
        y_train, y_test (25000,): int64, 0 against, 1 for

    Raises:
        ValueError: `maxlen` leaves no review.
        ConnectionError: not in the cache and no network; the message says which file to put where.

    Source: Maas et al., "Learning word vectors for sentiment analysis", ACL 2011.
    """
    if "nb_words" in kwargs:
        warnings.warn("load_data: nb_words is called num_words now.", DeprecationWarning, stacklevel=2)
        num_words = kwargs.pop("nb_words")
    if kwargs:
        raise TypeError(f"imdb.load_data has no argument {', '.join(map(repr, kwargs))}.")
    file = origin.fetch("imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f", path)
    x_train, y_train, x_test, y_test = pickled.load_npz(file, "x_train", "y_train", "x_test", "y_test")
    order = np.random.RandomState(seed)
    x_train, y_train = words.mark_starts(*shuffle.shuffled(order, x_train, y_train), maxlen, start_char, index_from)
    x_test, y_test = words.mark_starts(*shuffle.shuffled(order, x_test, y_test), maxlen, start_char, index_from)
    x, cut = words.leave_out(x_train + x_test, num_words, skip_top, oov_char), len(x_train)
    return (x[:cut], y_train), (x[cut:], y_test)


def get_word_index(path="imdb_word_index.json"):
    """Word -> its number, 1 for the most frequent; `load_data` adds `index_from` (3) to it.

    Args:
        path: name of the file in the cache.
    """
    with open(origin.fetch("imdb_word_index.json", "bfafd718b763782e994055a2d397834f", path), encoding="utf-8") as file:
        return json.load(file)
