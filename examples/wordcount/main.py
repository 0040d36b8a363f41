"""Count the words of a text: the most frequent ones, and how many there are."""

import collections
import re

WORD = re.compile(r"[^\W\d_]+")


def main(text, top=5):
    """Return {"words", "distinct", "top": [[word, count], …]}."""
    words = [word.lower() for word in WORD.findall(text)]
    counts = collections.Counter(words)
    print(f"{len(words)} words, {len(counts)} of them distinct")
    return {
        "words": len(words),
        "distinct": len(counts),
        "top": counts.most_common(top),
    }
