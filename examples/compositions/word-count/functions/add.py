from collections import Counter


def main(counts):
    return dict(sum(map(Counter, counts), Counter()).most_common())
