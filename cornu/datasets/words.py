"""Texts as lists of word numbers: what `imdb` and `reuters` share."""

import numpy as np


def mark_starts(texts, labels, maxlen, start_char, index_from):
    """Texts with their numbers moved up by `index_from` and a start mark, those of `maxlen` or longer left out.

    Args:
        texts: array of lists of word numbers, 1 for the most frequent word.
        labels: array as long.
        maxlen: texts of this length or longer, start mark included, are left out; None keeps all.
        start_char: the mark before each text; None puts none.
        index_from: what is added to each number.

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
    return list(texts), labels


def leave_out(texts, num_words, skip_top, oov_char):
    """Array of lists: `texts` without the rare and the most frequent words.

    Args:
        texts: list of lists of numbers.
        num_words: numbers of at least this are left out; None takes the largest that occurs, so that, as in Keras, this very one is.
        skip_top: numbers below this are left out.
        oov_char: what stands for a word left out; None drops it without a trace.
    """
    top = num_words or max(map(max, filter(None, texts)))
    if oov_char is None:
        texts = [[word for word in text if skip_top <= word < top] for text in texts]
    else:
        texts = [[word if skip_top <= word < top else oov_char for word in text] for text in texts]
    result = np.empty(len(texts), dtype=object)
    result[:] = texts
    return result
