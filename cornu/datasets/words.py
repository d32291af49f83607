"""Texts as lists of word numbers: what `imdb` and `reuters` share."""

import numpy as np


def number(texts, labels, num_words, skip_top, maxlen, start_char, oov_char, index_from):
    """Texts with their numbers moved up by `index_from`, a start mark, the rare and the most frequent words left out.

    Args:
        texts: array of lists of word numbers, 1 for the most frequent word.
        labels: array as long.
        num_words: words with a number of at least this are left out; None keeps all.
        skip_top: words with a number below this are left out.
        maxlen: texts of this length or longer, start mark included, are left out; None keeps all.
        start_char: the mark before each text; None puts none.
        oov_char: what stands for a word left out; None drops it without a trace.
        index_from: what is added to each number.

    Returns:
        `(texts, labels)`.

    Raises:
        ValueError: `maxlen` leaves nothing.
    """
    start = [] if start_char is None else [start_char]
    shift = index_from or 0
    if start or shift:
        texts = [start + [word + shift for word in text] for text in texts]
    if maxlen:
        kept = [place for place, text in enumerate(texts) if len(text) < maxlen]
        if not kept:
            raise ValueError(f"maxlen={maxlen} leaves no text: all are that long or longer.")
        texts, labels = [texts[place] for place in kept], labels[kept]
    if num_words or skip_top > 0:
        top = num_words or float("inf")
        if oov_char is None:
            texts = [[word for word in text if skip_top <= word < top] for text in texts]
        else:
            texts = [[word if skip_top <= word < top else oov_char for word in text] for text in texts]
    result = np.empty(len(texts), dtype=object)
    result[:] = list(texts)
    return result, labels
